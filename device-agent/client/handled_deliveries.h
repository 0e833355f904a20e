#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_HANDLED_DELIVERIES_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_HANDLED_DELIVERIES_H_

#include <cstdint>
#include <deque>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"

namespace bellwire::agent {

// The deliveries that an app handled last: an agent that was killed before it wrote an
// acknowledgement to its disk delivers again what the app has already handled. Thread-compatible.
class HandledDeliveries {
 public:
  // The agent says which inbox its delivery ids belong to (HelloOk.inbox_id); those of another one
  // mean nothing.
  void Enter(absl::string_view inbox_id) {
    if (inbox_id == inbox_id_) return;
    inbox_id_ = std::string(inbox_id);
    ids_.clear();
    order_.clear();
  }

  void Add(uint64_t delivery_id) {
    if (!ids_.insert(delivery_id).second) return;
    order_.push_back(delivery_id);
    if (order_.size() <= kCapacity) return;
    ids_.erase(order_.front());
    order_.pop_front();
  }

  bool Contains(uint64_t delivery_id) const { return ids_.contains(delivery_id); }

  // Only acknowledgements that the agent has not written can be lost, and without writing them it
  // gives no more than its window.
  static constexpr size_t kCapacity = 2 * kAppWindowMessages;

 private:
  std::string inbox_id_;
  absl::flat_hash_set<uint64_t> ids_;
  std::deque<uint64_t> order_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CLIENT_HANDLED_DELIVERIES_H_
