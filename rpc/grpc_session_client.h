#ifndef BELLWIRE_RPC_GRPC_SESSION_CLIENT_H_
#define BELLWIRE_RPC_GRPC_SESSION_CLIENT_H_

#include <memory>
#include <string>

#include "common/clock.h"
#include "grpcpp/channel.h"
#include "rpc/session_stream.h"

namespace bellwire {

// One stream to the registry at the other end of `channel`, dialled again with back-off
// (rpc/dial_backoff.h) whenever it breaks; also if the registry is silent for
// StreamPulse::kSilence. While there is none, calls are answered as SessionCaller says.
//
// Destroying it closes it.
std::unique_ptr<SessionStream> NewGrpcSessionClient(std::shared_ptr<grpc::Channel> channel,
                                                    const Clock* clock = RealClock());

}  // namespace bellwire

#endif  // BELLWIRE_RPC_GRPC_SESSION_CLIENT_H_
