#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_SEND_STREAM_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_SEND_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "gateway/auth/authenticator.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/send/send_engine.h"
#include "gateway/send/team_places.h"

namespace bellwire::gateway {

// One SendStream call. It reads a message, hands it to the engine, reads the next, and writes
// results as they come, one at a time. At most kMaxSendStreamInFlight messages are read and not
// answered: with that many it doesn't read, so HTTP/2's flow control holds the caller up, whether
// it sends too fast or doesn't read its results.
//
// A gateway has kMaxStreams of them, and kMaxStreamsPerTeam of a team: what a client costs that
// takes no result is bounded by these two and kMaxResultsWaiting.
//
// It ends, once everything read is answered, when
//   - its team has too many streams: RESOURCE_EXHAUSTED QUOTA_EXCEEDED;
//   - the client half-closed: OK;
//   - its JWT expired or its key was revoked, within kKeyFreshness and kRecheckInterval though
//     nothing is sent: UNAUTHENTICATED;
//   - the server drains: UNAVAILABLE SHUTTING_DOWN, at once, though the client has not half-closed;
//   - the client is gone, or the drain is over: results are dropped, what was accepted stays
//     accepted.
//
// Lives as long as somebody owes it a callback. Thread-safe inside; the call is never used under
// the lock, for it may call back at once.
class SendStream final : public DrainSignal::Listener,
                         public std::enable_shared_from_this<SendStream> {
 public:
  static constexpr size_t kMaxStreams = 4096;
  // A backend needs one, a large one has some hundred processes.
  static constexpr size_t kMaxStreamsPerTeam = 256;
  // With so many results that the client has not taken, none of its messages is read.
  static constexpr size_t kMaxResultsWaiting = 64;

  // Not owned; they outlive the call.
  struct Environment {
    Authenticator* authenticator = nullptr;
    SendEngine* engine = nullptr;
    TeamPlaces* streams = nullptr;
    DrainSignal* drain = nullptr;
    const Clock* clock = nullptr;
  };

  // Serves a call that just came in.
  static void Start(const Environment& environment, std::shared_ptr<RpcCall> call);
  ~SendStream() override { environment_.drain->Remove(this); }

  void OnDrain() override;
  void OnRecheck() override;

 private:
  SendStream(const Environment& environment, std::shared_ptr<RpcCall> call)
      : environment_(environment), call_(std::move(call)) {}

  void Open();
  // The credential is good so long.
  void NoteFresh(const ProviderIdentity& identity);
  // REQUIRES: the credential is good.
  void TakePlace();
  void OnReadDone(bool ok);
  void OnWriteDone(bool ok);
  void HandleMessage();
  void SendMessage();
  void DoneHandling();
  void OnResult(uint64_t correlation_id, absl::StatusOr<push::v1::SendResponse> result);
  // No further message is taken; `why` is what the client is told, unless something else was first.
  void End(absl::Status why);
  // Does whatever can be done next: write, read, finish.
  void Proceed();

  const Environment environment_;
  const std::shared_ptr<RpcCall> call_;

  // Touched only by the one who reads or handles a message, which are one after the other.
  std::string jwt_;
  ProviderIdentity identity_;
  push::v1::SendStreamRequest message_;
  std::optional<TeamPlaces::Ticket> place_;

  absl::Mutex mu_;
  // As in identity_, for OnRecheck. Unset: it isn't known so far.
  std::optional<ProviderIdentity> fresh_ ABSL_GUARDED_BY(mu_);
  bool rechecking_ ABSL_GUARDED_BY(mu_) = false;
  // A read is not done.
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  // The credential or a message is being looked at; no read meanwhile, so order is kept.
  bool handling_ ABSL_GUARDED_BY(mu_) = true;
  // A write of results_.front() is not done.
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  // No message is taken any more, because of end_.
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  // A write failed: nobody waits for results any more.
  bool broken_ ABSL_GUARDED_BY(mu_) = false;
  // Read, and the result not yet written.
  size_t unanswered_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<push::v1::SendStreamResponse> results_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_SEND_STREAM_H_
