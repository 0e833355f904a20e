#ifndef BELLWIRE_COMMON_FAIR_QUEUE_H_
#define BELLWIRE_COMMON_FAIR_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"

namespace bellwire {

// A bounded queue of many flows' items that is emptied in fair turns: deficit round robin in which
// a flow that has just become active goes first, for one turn (FQ-CoDel's scheduler: RFC 8290,
// 4.2). So a flow that sends little waits for one item of somebody else, however much others have
// queued.
//
// Within a flow the order is that of Push. A flow that was emptied stays known until its turn comes
// again: becoming active over and over doesn't win more than its share.
//
// Room is shared by dynamic thresholds (Choudhury and Hahne, 1998): a flow may hold as many items
// as there are places free. One flow alone fills half of the queue, and N greedy flows leave a
// place in N+1 free. So a newcomer finds room, unless there are about as many flows as places.
//
// Not thread-safe.
template <typename Item>
class FairQueue {
 public:
  // What a flow may take out in one turn, in units of cost: small beside what a caller of Pop does
  // in a batch, and large enough that a flow's items stay together.
  static constexpr int64_t kQuantum = 8;

  // REQUIRES: max_items > 0.
  explicit FairQueue(size_t max_items) : max_items_(max_items) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // Whether one more item of the flow may be pushed.
  bool HasRoom(absl::string_view flow) const {
    const auto it = flows_.find(flow);
    const size_t held = it == flows_.end() ? 0 : it->second.items.size();
    return held < max_items_ - size_;
  }

  // `cost` is what the item takes out of its flow's turn; 1 for an ordinary one.
  // REQUIRES: HasRoom(flow), cost > 0.
  void Push(absl::string_view flow, Item item, int64_t cost = 1) {
    auto it = flows_.find(flow);
    if (it == flows_.end()) {
      // Two for one: what is known stays bounded even while only newcomers come.
      ForgetEmpty();
      ForgetEmpty();
      it = flows_.try_emplace(std::string(flow)).first;
      new_.push_back(&*it);
    }
    it->second.items.push_back({std::move(item), cost});
    ++size_;
  }

  struct Taken {
    Item item;
    // Its flow has just become active: this is of its first turn.
    bool newcomer = false;
  };
  // The next one. REQUIRES: !empty().
  Taken Pop() {
    const bool newcomer = newcomer_waits();
    Named* named = newcomer ? new_.front() : NextOld();
    Flow& flow = named->second;
    Queued queued = std::move(flow.items.front());
    flow.items.pop_front();
    flow.deficit -= queued.cost;
    --size_;
    return {std::move(queued.item), newcomer};
  }

  // Whether the next Pop is of a flow that has just become active.
  bool newcomer_waits() {
    while (!new_.empty()) {
      Flow& flow = new_.front()->second;
      if (flow.deficit > 0 && !flow.items.empty()) return true;
      if (flow.deficit <= 0) flow.deficit += kQuantum;
      old_.splice(old_.end(), new_, new_.begin());
    }
    return false;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Flows that are known: those with items, and those that were emptied a moment ago.
  size_t flows() const { return flows_.size(); }

 private:
  struct Queued {
    Item item;
    int64_t cost;
  };
  struct Flow {
    std::deque<Queued> items;
    // What it may still take out in this turn.
    int64_t deficit = kQuantum;
  };
  using Flows = absl::node_hash_map<std::string, Flow>;
  using Named = typename Flows::value_type;

  // Whose turn it is. REQUIRES: an old flow has items.
  Named* NextOld() {
    while (true) {
      Named* const named = old_.front();
      if (named->second.deficit <= 0) {
        named->second.deficit += kQuantum;
        old_.splice(old_.end(), old_, old_.begin());
      } else if (named->second.items.empty()) {
        ForgetEmpty();
      } else {
        return named;
      }
    }
  }

  // The next flow in turn, if it has nothing.
  void ForgetEmpty() {
    if (old_.empty() || !old_.front()->second.items.empty()) return;
    const std::string name = old_.front()->first;
    old_.pop_front();
    flows_.erase(name);
  }

  const size_t max_items_;
  size_t size_ = 0;
  Flows flows_;
  // In the order of their turns. Each flow is in one of the two.
  std::list<Named*> new_;
  std::list<Named*> old_;
};

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_FAIR_QUEUE_H_
