#ifndef BELLWIRE_RPC_GRPC_SESSION_SERVER_H_
#define BELLWIRE_RPC_GRPC_SESSION_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "common/clock.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire {

// bellwire.internal.v1.Session in front of a registry, for a grpc::ServerBuilder: the streams of
// connectors, and the way to them. HandOver finds the stream by the route's connector_incarnation.
//
// At most kMaxConnectorInFlight requests of one stream are unanswered; further ones stay in
// HTTP/2's window. A connector that is silent for StreamPulse::kSilence is cut off. Streams don't
// end by themselves: shut the server down with a deadline.
//
// Thread-safe. Outlives the grpc::Server.
class GrpcSessionService final : public internal::v1::Session::CallbackService,
                                 public ConnectorApi {
 public:
  // `registry` must outlive the grpc::Server; it may answer later than that, or never. `on_gone` is
  // told when a connector has no stream any more; it must not block.
  GrpcSessionService(SessionApi* registry, std::function<void(uint64_t incarnation)> on_gone,
                     const Clock* clock = RealClock());
  ~GrpcSessionService() override;

  bool HandOver(internal::v1::ConnectorRequest request) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether this connector has a stream.
  bool HasStream(uint64_t incarnation) const ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::ServerBidiReactor<internal::v1::SessionRequest, internal::v1::SessionEvent>* Attach(
      grpc::CallbackServerContext* context) override;

 private:
  class Stream;

  void OnAttach(uint64_t incarnation, std::shared_ptr<Stream> stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnEnded(uint64_t incarnation, const Stream* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // Feels the pulse of all.
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  SessionApi* const registry_;
  const std::function<void(uint64_t incarnation)> on_gone_;
  const Clock* const clock_;

  mutable absl::Mutex mutex_;
  // By incarnation: the latest of each.
  absl::flat_hash_map<uint64_t, std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_GRPC_SESSION_SERVER_H_
