#ifndef BELLWIRE_REGISTRY_FEED_RECEIPT_RELAY_H_
#define BELLWIRE_REGISTRY_FEED_RECEIPT_RELAY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "registry/engine/overlay.h"
#include "registry/keys/feeds.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// Moves receipts from the devices' outbox into the feeds of their teams, in the order of the
// outbox, and adds them to what topics and topic messages count and teams use: first into the feed,
// which is a transaction of the team, then out of the outbox, which is one of the device. Where the
// two are not committed together, a crash between them relays again: at least once. Counts are
// exact because this store commits both together. The outbox of the batch that runs is kept as
// objects: what comes into its feed with that very batch never becomes a record of the outbox at
// all.
//
// Not thread-safe.
//
// Where registries share a store, each has a feed of each team. The first receipts that come into
// it after devices came from another registry say how far the other feeds were: earlier receipts of
// their messages are there.
class ReceiptRelay {
 public:
  // Changes are staged in `staged`, which outlives it. `numbers_after`: as KvStore::Options.
  // `retention`: how long feeds keep receipts.
  ReceiptRelay(Overlay* staged, uint64_t numbers_after, absl::Duration retention, Feeds feeds = {})
      : staged_(staged),
        numbers_after_(numbers_after),
        retention_(retention),
        feeds_(std::move(feeds)) {}

  // As Store::RelayReceipts. A damaged entry is logged and left where it is.
  absl::StatusOr<RelayResult> Run(size_t max_entries, int64_t now_ms);

  // For the next outbox entry: greater than all before, those of earlier processes too.
  absl::StatusOr<uint64_t> NextOrder();
  // What a transaction of `device` adds to the outbox. REQUIRES: `order` is the latest of
  // NextOrder.
  void Add(uint64_t order, const DeviceId& device, storage::v1::Outbox outbox);

  // Stages what Run has not moved, for the commit that ends the batch.
  void Stage();
  // That commit failed: what earlier steps moved may be in the outbox again.
  void OnCommitFailed();
  // Devices came or went. REQUIRES: nothing is staged.
  void OnPartitionsChanged();

 private:
  struct Entry {
    uint64_t order;
    DeviceId device;
    storage::v1::Outbox outbox;
  };

  absl::Status LoadOrder();
  // How far the other feeds of the team are, unless that was said since devices came.
  absl::StatusOr<std::vector<FeedPlace>> OtherFeeds(const std::string& team_id) const;

  Overlay* const staged_;
  const uint64_t numbers_after_;
  const absl::Duration retention_;
  const Feeds feeds_;
  // Teams of which it was said; kMaxTeamsNoted at most.
  static constexpr size_t kMaxTeamsNoted = 4096;
  absl::flat_hash_set<std::string> noted_;
  // The outbox of this batch, in its order: after everything that is a record already.
  std::vector<Entry> batch_;
  // Whether the outbox may have records. False spares each step a look.
  bool has_records_ = true;
  // Every record before this key has been moved. Spares each step a walk over what those before it
  // have deleted.
  std::string from_;
  // 0: not known yet.
  uint64_t next_order_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_FEED_RECEIPT_RELAY_H_
