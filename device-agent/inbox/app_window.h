#ifndef BELLWIRE_DEVICE_AGENT_INBOX_APP_WINDOW_H_
#define BELLWIRE_DEVICE_AGENT_INBOX_APP_WINDOW_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/limits.h"

namespace bellwire::agent {

// What one app, or one subscription, holds of its items: given, acknowledged, and what the disk
// says of that. Items are named by their delivery ids, which grow.
//
//   waits ──Give──▶ held ──Take──▶ being taken ──Commit──▶ gone
//     ▲              │
//     └─── Close ────┘
//
// What is being taken stays so when the connection closes: it is not given to the next one.
//
// The disk must say that an item was given before the app has it. A killed agent would otherwise
// say RECALLED of a message that the app shows. So the mark on the disk runs ahead of what was
// given (Mark).
// Pure; single-threaded.
class AppWindow {
 public:
  // `given_up_to`: what the disk says that earlier connections were given.
  explicit AppWindow(uint64_t given_up_to = 0)
      : given_up_to_(given_up_to), earlier_up_to_(given_up_to), marked_up_to_(given_up_to) {}

  // --- The connection. ---

  // The app's connection takes what there is. Opening an open window changes nothing.
  void Open() { open_ = true; }
  bool is_open() const { return open_; }
  // The connection is gone. Answers whether it held something.
  bool Close() {
    const bool held = !held_.empty();
    held_.clear();
    last_given_ = 0;
    earlier_up_to_ = given_up_to_;
    open_ = false;
    return held;
  }

  // So many more may be given.
  size_t room() const { return kAppWindowMessages - std::min(kAppWindowMessages, held_.size()); }
  // The connection's next item is the first one after this. 0: it was given none.
  uint64_t last_given() const { return last_given_; }
  // The item's turn has come. False: it is being taken already, and must not be given again.
  bool Give(uint64_t delivery_id) {
    last_given_ = std::max(last_given_, delivery_id);
    if (taking_.contains(delivery_id)) return false;
    held_.insert(delivery_id);
    given_up_to_ = std::max(given_up_to_, delivery_id);
    Mark(given_up_to_);
    return true;
  }
  // The app acknowledges an item. False: it does not hold it, or said so before.
  bool Take(uint64_t delivery_id) {
    return held_.contains(delivery_id) && taking_.insert(delivery_id).second;
  }
  // These are on the disk as taken.
  void Commit(const std::vector<uint64_t>& delivery_ids) {
    for (const uint64_t id : delivery_ids) {
      held_.erase(id);
      taking_.erase(id);
    }
  }

  // --- The items. ---

  // The app may be looking at it.
  bool Holds(uint64_t delivery_id) const { return held_.contains(delivery_id); }
  // The last one that was given on any connection: the app may have it. 0: none.
  uint64_t given_up_to() const { return given_up_to_; }
  // It was given on an earlier connection than the present one.
  bool WasGivenEarlier(uint64_t delivery_id) const { return delivery_id <= earlier_up_to_; }

  // --- The disk. ---

  // The disk is to say that everything up to this id was given, with its next transaction.
  void Mark(uint64_t delivery_id) {
    if (delivery_id <= marked_up_to_) return;
    marked_up_to_ = delivery_id;
    unwritten_ = true;
  }
  // What the disk says, or is to say.
  uint64_t marked_up_to() const { return marked_up_to_; }
  bool unwritten() const { return unwritten_; }
  void OnWritten() { unwritten_ = false; }
  // A transaction failed: the disk may say less.
  void OnWriteFailed() { unwritten_ = true; }

 private:
  bool open_ = false;
  // Given on the present connection, and not on the disk as taken.
  absl::flat_hash_set<uint64_t> held_;
  // Acknowledged on this or an earlier connection, and not on the disk as taken.
  absl::flat_hash_set<uint64_t> taking_;
  // On the present connection.
  uint64_t last_given_ = 0;
  // On any connection, and on all before the present one.
  uint64_t given_up_to_;
  uint64_t earlier_up_to_;
  uint64_t marked_up_to_;
  bool unwritten_ = false;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_INBOX_APP_WINDOW_H_
