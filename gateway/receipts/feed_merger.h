#ifndef BELLWIRE_GATEWAY_RECEIPTS_FEED_MERGER_H_
#define BELLWIRE_GATEWAY_RECEIPTS_FEED_MERGER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "gateway/receipts/receipt_cursor.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// The feeds of a team as one: feed 0, and those that the registries say there are besides. What
// comes out keeps the order of each message's receipts: a piece that follows others in another feed
// comes after these.
//
// It holds one piece of each feed. While the reader is busy with one, the registries are asked for
// the others only.
//
// Lives as long as a registry owes it an answer. Thread-safe; one Next at a time.
class FeedMerger : public std::enable_shared_from_this<FeedMerger> {
 public:
  struct Piece {
    uint32_t feed = 0;
    // Not empty, unless nothing came in time.
    std::vector<internal::v1::FeedReceipt> receipts;
    // Where the feed is after these.
    uint64_t next_position = 0;
  };
  // Nullopt: the positions from which on receipts will come are known now; only at first, and only
  // if it begins with none. Errors: those of FeedApi.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::optional<Piece>>) &&>;

  // Goes on after `positions`; nullopt: with what comes from now on. `feeds` is not owned, and
  // outlives the answers that it owes. `stream`: as ReadReceiptsRequest.stream, for feed 0, whose
  // registry counts streams.
  static std::shared_ptr<FeedMerger> New(FeedApi* feeds, std::string team_id,
                                         std::optional<FeedPositions> positions,
                                         uint64_t stream = 0);

  // Answers the next piece. What was answered before counts as passed on. Where no feed has
  // anything the registries wait for `wait`, then the piece is empty. `done` may be called at once.
  void Next(absl::Duration wait, Done done);

  // How far everything was passed on; of the latest piece, which counts as passed on with the next
  // Next, where it began.
  FeedPositions positions() const;

 private:
  FeedMerger(FeedApi* feeds, std::string team_id, uint64_t stream)
      : feeds_(feeds), team_id_(std::move(team_id)), stream_(stream) {}

  struct Feed {
    uint64_t position = 0;
    // As yet it is not known where "now" is.
    bool from_now = false;
    // Its end was seen: reads wait there.
    bool caught_up = false;
    bool reading = false;
    // Read, and not yet passed on.
    std::optional<internal::v1::ReadReceiptsResponse> piece;
  };
  struct Read {
    uint32_t feed;
    internal::v1::ReadReceiptsRequest request;
  };

  void OnRead(uint32_t feed, absl::Duration wait,
              absl::StatusOr<internal::v1::ReadReceiptsResponse> read) ABSL_LOCKS_EXCLUDED(mutex_);
  void Start(std::vector<Read> reads, absl::Duration wait) ABSL_LOCKS_EXCLUDED(mutex_);
  // Those that are due.
  std::vector<Read> TakeReads(absl::Duration wait) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A piece all of whose predecessors were passed on.
  std::optional<Piece> TakePiece() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsDue(const internal::v1::ReadReceiptsResponse& piece) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  FeedApi* const feeds_;
  const std::string team_id_;
  const uint64_t stream_;
  mutable absl::Mutex mutex_;
  std::map<uint32_t, Feed> of_feed_ ABSL_GUARDED_BY(mutex_) = {{0, Feed()}};
  // What was answered last: passed on when the next one is asked for.
  std::optional<std::pair<uint32_t, uint64_t>> passing_ ABSL_GUARDED_BY(mutex_);
  // It began with none, and not all positions are known.
  bool beginning_ ABSL_GUARDED_BY(mutex_) = false;
  Done done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_RECEIPTS_FEED_MERGER_H_
