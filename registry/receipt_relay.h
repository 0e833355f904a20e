#ifndef BELLWIRE_REGISTRY_RECEIPT_RELAY_H_
#define BELLWIRE_REGISTRY_RECEIPT_RELAY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "registry/overlay.h"
#include "registry/store.h"

namespace bellwire::registry {

// Moves receipts from the devices' outbox into the feeds of their teams, in the order of the outbox:
// first into the feed, which is a transaction of the team, then out of the outbox, which is one of the
// device. Where the two are not committed together, a crash between them relays again: at least once.
// Receipts that come into their feed with the very batch that they came into the outbox with never
// reach the engine's outbox at all.
//
// Not thread-safe.
class ReceiptRelay {
 public:
  // Changes are staged in `staged`, which outlives it.
  explicit ReceiptRelay(Overlay* staged) : staged_(staged) {}

  // As Store::RelayReceipts. A damaged entry is logged and left where it is.
  absl::StatusOr<RelayResult> Run(size_t max_entries, int64_t now_ms);

  // For the next outbox entry: greater than all before, those of earlier processes too.
  absl::StatusOr<uint64_t> NextOrder();

  // What was staged is in the engine, and the next batch begins.
  void OnCommitted() { batch_from_order_ = next_order_; }
  // The commit that held the last steps failed: what they moved is in the outbox again.
  void OnCommitFailed() {
    from_.clear();
    OnCommitted();
  }

 private:
  absl::Status LoadOrder();

  Overlay* const staged_;
  // Every entry before this key has been moved. Spares each step a walk over what those before it have
  // deleted.
  std::string from_;
  // 0: not known yet.
  uint64_t next_order_ = 0;
  // Entries from here on are staged only: the engine has none of them. 0: not known yet.
  uint64_t batch_from_order_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_RECEIPT_RELAY_H_
