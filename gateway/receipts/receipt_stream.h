#ifndef BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_STREAM_H_
#define BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_STREAM_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/authenticator.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/receipts/feed_merger.h"
#include "gateway/receipts/receipt_cursor.h"
#include "gateway/send/team_places.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// One WatchReceipts call: reads a piece of the team's feed, writes its receipts one at a time,
// reads the next. It holds one piece and reads only when that is written, so a watcher that doesn't
// read costs a piece of memory and asks nothing of the registry; at the end of the feed the
// registry lets it wait.
//
// It ends when the JWT expired or its key was revoked (UNAUTHENTICATED), the cursor is bad or too
// old, the registry can't answer, the server drains (SHUTTING_DOWN), or the client is gone. The
// client goes on from its last cursor. It doesn't begin if the team has kMaxReceiptStreamsPerTeam
// here, or as many on all gateways as its quota allows (QUOTA_EXCEEDED).
//
// Lives as long as somebody owes it a callback. Thread-safe inside.
class ReceiptStream final : public DrainSignal::Listener,
                            public std::enable_shared_from_this<ReceiptStream> {
 public:
  // Not owned; they outlive the call.
  struct Environment {
    // Whose receipts a credential may watch: Authenticator::Authenticate, or of an administrator.
    std::function<void(absl::string_view credential, Authenticator::Done done)> authenticate;
    DrainSignal* drain = nullptr;
    const TokenSealer* sealer = nullptr;
    FeedApi* feeds = nullptr;
    // Each stream holds one.
    TeamPlaces* streams = nullptr;
    const Clock* clock = nullptr;
  };

  // Serves a call that just came in.
  static void Start(const Environment& environment, std::shared_ptr<RpcCall> call);
  ~ReceiptStream() override { environment_.drain->Remove(this); }

  void OnDrain() override;
  void OnRecheck() override;

 private:
  ReceiptStream(const Environment& environment, std::shared_ptr<RpcCall> call)
      : environment_(environment), call_(std::move(call)) {}

  void Open();
  void Authenticate();
  // The registry is told that the stream is over, so that its place in the team's quota is free.
  void GiveBack();
  // The first time: where to begin.
  void Begin();
  void BeginAtCursor();
  void Read();
  void OnRead(absl::StatusOr<std::optional<FeedMerger::Piece>> read);
  // When others that wait for the call's thread have had a turn.
  void WriteNextInTurn();
  void WriteNext();
  void Write();
  void OnWriteDone(bool ok);
  // The call ends with `why`, unless it has ended already.
  void End(absl::Status why);

  const Environment environment_;
  const std::shared_ptr<RpcCall> call_;
  std::atomic<bool> ended_ = false;
  // Names the stream at the registry.
  const uint64_t stream_ = RandomUint64() | 1;

  absl::Mutex mu_;
  // As in identity_, for OnRecheck. Unset: it isn't known so far.
  std::optional<ProviderIdentity> fresh_ ABSL_GUARDED_BY(mu_);
  bool rechecking_ ABSL_GUARDED_BY(mu_) = false;
  // The registry knows of the stream.
  bool asked_ ABSL_GUARDED_BY(mu_) = false;

  // Touched only by the one step that is under way: authenticate, read, or write.
  push::v1::WatchReceiptsRequest request_;
  std::string jwt_;
  ProviderIdentity identity_;
  std::optional<TeamPlaces::Ticket> place_;
  bool begun_ = false;
  std::shared_ptr<FeedMerger> feeds_;
  FeedMerger::Piece piece_;
  size_t next_ = 0;
  // Of all feeds, as of the receipt that is written.
  FeedPositions positions_;
  push::v1::WatchReceiptsResponse response_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_STREAM_H_
