#ifndef BELLWIRE_RPC_GRPC_REGISTRY_CLIENT_H_
#define BELLWIRE_RPC_GRPC_REGISTRY_CLIENT_H_

#include <memory>

#include "absl/time/time.h"
#include "common/limits.h"
#include "grpcpp/channel.h"
#include "rpc/registry_api.h"

namespace bellwire {

// What somebody waits for who sends a message, beside what the call waits for besides (WaitOf): a
// commit takes milliseconds, and a sender that gave itself 5 s hears UNAVAILABLE, and may try
// elsewhere, before its own deadline. A registry whose process was stopped keeps its connections,
// so nothing else says that it is gone.
inline constexpr absl::Duration kSenderCallTimeout = absl::Seconds(3);
static_assert(kSenderCallTimeout < kRegistryCallTimeout);

// A registry in another process. Beside the registry's own answers a call ends with
//   UNAVAILABLE REGISTRY_UNAVAILABLE, RetryInfo: not reachable, or no answer within `call_timeout`,
//     or `sender_timeout` where a sender waits, and what the call waits for besides (WaitOf).
//     The call may have been carried out: every method may be repeated.
//   RESOURCE_EXHAUSTED OVERLOADED, RetryInfo: kMaxRegistryQueue calls of this client are
//   unanswered.
// Thread-safe. Destroying the client cancels what is unanswered and waits until every `done` was
// called: not to be done from one of them.
// The time-outs are others in tests only.
std::unique_ptr<UnaryRegistryApi> NewGrpcRegistryClient(
    std::shared_ptr<grpc::Channel> channel, absl::Duration call_timeout = kRegistryCallTimeout,
    absl::Duration sender_timeout = kSenderCallTimeout);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_GRPC_REGISTRY_CLIENT_H_
