#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_HANDLED_DELIVERIES_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_HANDLED_DELIVERIES_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"

namespace bellwire::agent {

// The deliveries that an app handled last: an agent that was killed before it wrote an
// acknowledgement to its disk delivers again what the app has already handled.
//
// A delivery is known by its delivery id and its message id: an agent whose state was put back to
// an older one may give a delivery id to another message. A gap has no message id, and counts for
// its inbox only. Thread-compatible.
class HandledDeliveries {
 public:
  // The agent says which inbox its delivery ids belong to (HelloOk.inbox_id).
  void Enter(absl::string_view inbox_id) { inbox_id_ = std::string(inbox_id); }

  // A message comes, or a gap (no message id). True: the app has handled it. False: it is given to
  // the app, and Handle says when that has handled it.
  bool Give(uint64_t delivery_id, absl::string_view message_id) {
    // Nobody's message id begins with '/'.
    std::string name = message_id.empty() ? "/" + inbox_id_ : std::string(message_id);
    const auto it = handled_.find(delivery_id);
    if (it != handled_.end() && it->second == name) return true;
    given_[delivery_id] = std::move(name);
    // What expired on the agent is never handled.
    if (given_.size() > kCapacity) given_.erase(given_.begin());
    return false;
  }

  // The app has handled what was given under this id. What was not given is ignored.
  void Handle(uint64_t delivery_id) {
    const auto given = given_.find(delivery_id);
    if (given == given_.end()) return;
    if (handled_.insert_or_assign(delivery_id, std::move(given->second)).second) {
      order_.push_back(delivery_id);
    }
    given_.erase(given);
    if (order_.size() <= kCapacity) return;
    handled_.erase(order_.front());
    order_.pop_front();
  }

  // Only acknowledgements that the agent has not written can be lost, and without writing them it
  // gives no more than its window.
  static constexpr size_t kCapacity = 2 * kAppWindowMessages;

 private:
  std::string inbox_id_;
  // By delivery id: what the app has not handled yet, and what it has.
  std::map<uint64_t, std::string> given_;
  absl::flat_hash_map<uint64_t, std::string> handled_;
  // The oldest of handled_ first.
  std::deque<uint64_t> order_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CLIENT_HANDLED_DELIVERIES_H_
