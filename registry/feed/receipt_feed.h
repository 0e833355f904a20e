#ifndef BELLWIRE_REGISTRY_FEED_RECEIPT_FEED_H_
#define BELLWIRE_REGISTRY_FEED_RECEIPT_FEED_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "registry/engine/overlay.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// The receipts of one team, in the order in which they were relayed, each at a position. Receipts
// that are relayed together share a record: a busy team costs a record per relay step and not one
// per receipt.
//
// Changes are staged in the overlay. Not thread-safe.
class ReceiptFeed {
 public:
  // `numbers_after`: as KvStore::Options.
  ReceiptFeed(Overlay* overlay, absl::string_view team_id, uint64_t numbers_after,
              absl::Duration retention)
      : overlay_(overlay),
        team_id_(team_id),
        numbers_after_(numbers_after),
        retention_(retention) {}

  // `after`: how far other feeds are, that have earlier receipts of the same messages.
  absl::Status Append(std::vector<storage::v1::FeedReceipt> receipts, int64_t now_ms,
                      const std::vector<FeedPlace>& after = {});
  // The position given last; 0: none yet.
  absl::StatusOr<uint64_t> LastPosition() const;
  // As Store::ReadReceipts.
  absl::StatusOr<FeedPage> Read(std::optional<uint64_t> after, size_t max_receipts) const;
  // Forgets what is older than `retention`, at most kMaxFeedTrimBlocks records of it, and
  // sees to the timeline entry of the rest. `woken_at_ms`: the time of the entry that woke it; of
  // any other time it is not this feed's entry, and goes.
  absl::Status Trim(int64_t woken_at_ms, int64_t now_ms);

 private:
  absl::StatusOr<storage::v1::Feed> Load() const;
  void Save(const storage::v1::Feed& feed);
  void WakeAt(storage::v1::Feed* feed, int64_t time_ms);

  Overlay* const overlay_;
  const std::string team_id_;
  const uint64_t numbers_after_;
  const absl::Duration retention_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_FEED_RECEIPT_FEED_H_
