#ifndef BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_STREAM_H_
#define BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/authenticator.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/receipts/receipt_turns.h"
#include "gateway/send/team_places.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// One WatchReceipts call: reads a piece of the team's feed, writes its receipts one at a time, reads the
// next. It holds one piece and reads only when that is written, so a watcher that doesn't read costs a
// piece of memory and asks nothing of the registry; at the end of the feed the registry lets it wait.
//
// It ends when the JWT expired or its key was revoked (UNAUTHENTICATED), the cursor is bad or too old, the
// registry can't answer, the server drains (SHUTTING_DOWN), or the client is gone. The client goes on from
// its last cursor. It doesn't begin if the team has kMaxReceiptStreamsPerTeam (QUOTA_EXCEEDED).
//
// Owns itself until gRPC is done with it, and while registry or authenticator owe it a callback.
// Thread-safe inside; gRPC is never called under the lock, for it may call back at once.
class ReceiptStream final : public grpc::ServerWriteReactor<push::v1::WatchReceiptsResponse>,
                            public DrainSignal::Listener,
                            public std::enable_shared_from_this<ReceiptStream> {
 public:
  // Not owned; they outlive the call.
  struct Environment {
    Authenticator* authenticator = nullptr;
    DrainSignal* drain = nullptr;
    const TokenSealer* sealer = nullptr;
    RegistryApi* registry = nullptr;
    // Each stream holds one.
    TeamPlaces* streams = nullptr;
    ReceiptTurns* turns = nullptr;
    const Clock* clock = nullptr;
  };

  // The reactor for a call that just came in.
  static ReceiptStream* New(const Environment& environment,
                            const grpc::CallbackServerContext& context,
                            const push::v1::WatchReceiptsRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void OnDrain() override;
  // It ended when the drain began. A watcher that doesn't take the last receipt is cut off.
  void OnDrainOver() override {}

 private:
  ReceiptStream(const Environment& environment, std::string cursor)
      : environment_(environment), hold_(environment.drain->Hold()), cursor_(std::move(cursor)) {}

  void Open(const grpc::CallbackServerContext& context);
  void Authenticate();
  // The first time: where to begin.
  void Begin();
  void Read();
  void OnRead(absl::StatusOr<internal::v1::ReadReceiptsResponse> read);
  // When it is this stream's turn.
  void WriteNextInTurn();
  void WriteNext();
  void Write();
  // The call ends with `why` as soon as no write is under way, unless it ends already.
  void End(absl::Status why);
  bool ended();

  const Environment environment_;
  // The environment lives as long as this does.
  const std::shared_ptr<void> hold_;
  // Set until OnDone.
  std::shared_ptr<ReceiptStream> self_;

  // Touched only by the one step that is under way: authenticate, read, or write.
  const std::string cursor_;
  std::string jwt_;
  ProviderIdentity identity_;
  std::optional<TeamPlaces::Ticket> place_;
  bool begun_ = false;
  bool from_now_ = false;
  uint64_t position_ = 0;
  internal::v1::ReadReceiptsResponse piece_;
  int next_ = 0;
  push::v1::WatchReceiptsResponse response_;

  absl::Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  // Why it ended.
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_STREAM_H_
