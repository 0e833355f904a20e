#include "device-agent/core/seq_tracker.h"

#include <algorithm>
#include <iterator>

namespace bellwire::agent {

bool SeqTracker::Contains(uint64_t seq) const {
  auto above = ranges_.upper_bound(seq);
  return above != ranges_.begin() && std::prev(above)->second >= seq;
}

SeqTracker::Change SeqTracker::Insert(uint64_t seq) {
  Change change;
  auto above = ranges_.upper_bound(seq);
  uint64_t last = seq;
  if (above != ranges_.end() && above->first - 1 == seq) {
    last = above->second;
    change.erased.push_back(above->first);
    above = ranges_.erase(above);
  }
  if (above != ranges_.begin() && std::prev(above)->second + 1 == seq) {
    auto below = std::prev(above);
    below->second = last;
    change.put = {below->first, last};
  } else {
    ranges_.emplace_hint(above, seq, last);
    change.put = {seq, last};
  }
  return change;
}

SeqTracker::Change SeqTracker::Settle(uint64_t seq) {
  Change change;
  if (seq == 0) return change;
  const auto first = ranges_.begin();
  if (first != ranges_.end() && first->first == 1 && first->second >= seq) return change;

  // `seq + 1` adjoins; a range up to the largest number has nothing above it.
  uint64_t last = seq;
  while (!ranges_.empty() && ranges_.begin()->first - 1 <= seq) {
    last = std::max(last, ranges_.begin()->second);
    if (ranges_.begin()->first != 1) change.erased.push_back(ranges_.begin()->first);
    ranges_.erase(ranges_.begin());
  }
  ranges_.emplace(1, last);
  change.put = {1, last};
  return change;
}

std::vector<SeqTracker::Range> SeqTracker::ranges() const {
  std::vector<Range> result;
  result.reserve(ranges_.size());
  for (const auto& [first, last] : ranges_) result.push_back({first, last});
  return result;
}

}  // namespace bellwire::agent
