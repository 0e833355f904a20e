#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_SEND_STREAM_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_SEND_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "gateway/auth/authenticator.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/send/send_engine.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"

namespace bellwire::gateway {

// One SendStream call. It reads a message, hands it to the engine, reads the next, and writes
// results as they come, one at a time. At most kMaxSendStreamInFlight messages are read and not
// answered on the wire: with that many it doesn't read, so HTTP/2's flow control holds the caller
// up, whether it sends too fast or doesn't read its results.
//
// It ends, once everything read is answered, when
//   - the client half-closed: OK;
//   - its JWT expired or its key was revoked (checked with the next message): UNAUTHENTICATED;
//   - the server drains: UNAVAILABLE SHUTTING_DOWN, at once, though the client has not half-closed;
//   - the client is gone: results are dropped, what was accepted stays accepted.
// When a drain is over it ends at once: SHUTTING_DOWN is the answer to whatever has none.
//
// Owns itself until gRPC is done with it, and while the engine or the authenticator owes it a
// callback. Thread-safe inside; gRPC is never called under the lock, for it may call back at once.
class SendStream final
    : public grpc::ServerBidiReactor<push::v1::SendStreamRequest, push::v1::SendStreamResponse>,
      public DrainSignal::Listener,
      public std::enable_shared_from_this<SendStream> {
 public:
  // Not owned; they outlive the call.
  struct Environment {
    Authenticator* authenticator = nullptr;
    SendEngine* engine = nullptr;
    DrainSignal* drain = nullptr;
    const Clock* clock = nullptr;
  };

  // The reactor for a call that just came in.
  static SendStream* New(const Environment& environment,
                         const grpc::CallbackServerContext& context);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void OnDrain() override;
  void OnDrainOver() override;

 private:
  explicit SendStream(const Environment& environment)
      : environment_(environment), hold_(environment.drain->Hold()) {}

  void Open(const grpc::CallbackServerContext& context);
  void HandleMessage();
  void SendMessage();
  void DoneHandling();
  void OnResult(uint64_t correlation_id, absl::StatusOr<push::v1::SendResponse> result);
  // No further message is taken; `why` is what the client is told, unless something else was first.
  void End(absl::Status why);
  // Does whatever can be done next: write, read, finish.
  void Proceed();

  const Environment environment_;
  // The environment lives as long as this does.
  const std::shared_ptr<void> hold_;
  // Set until OnDone.
  std::shared_ptr<SendStream> self_;

  // Touched only by the one who reads or handles a message, which are one after the other.
  std::string jwt_;
  ProviderIdentity identity_;
  push::v1::SendStreamRequest message_;

  absl::Mutex mu_;
  // A StartRead is not done.
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  // The credential or a message is being looked at; no read meanwhile, so order is kept.
  bool handling_ ABSL_GUARDED_BY(mu_) = true;
  // A StartWrite of results_.front() is not done.
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  // Threads that have decided to start a read or a write and have not done so. None may be started
  // after Finish, so it waits for them; and while it does, gRPC keeps this alive.
  int starting_ ABSL_GUARDED_BY(mu_) = 0;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  // No message is taken any more, because of end_.
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  // Nobody waits for results any more: a write failed, so that the client is gone, or a drain is
  // over.
  bool broken_ ABSL_GUARDED_BY(mu_) = false;
  // Read, and the result not yet written.
  size_t unanswered_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<push::v1::SendStreamResponse> results_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_SEND_STREAM_H_
