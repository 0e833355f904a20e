#ifndef BELLWIRE_DEVICE_AGENT_CORE_SEQ_TRACKER_H_
#define BELLWIRE_DEVICE_AGENT_CORE_SEQ_TRACKER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace bellwire::agent {

// Which sequence numbers of the mailbox this device has seen, as runs: one long run from 1 in the
// ordinary case, and separate ones above it where messages were skipped (collapsed or expired on
// the server) or overtaken. Thread-compatible.
class SeqTracker {
 public:
  // first .. last, both included.
  struct Range {
    uint64_t first = 0;
    uint64_t last = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };

  // What a copy of the ranges on disk, keyed by `first`, has to do to stay the same.
  struct Change {
    std::vector<uint64_t> erased;
    // Inserted, or replacing the one with the same `first`. Both zero: none.
    Range put;
  };

  // `max_ranges` as in kMaxSeenRanges.
  explicit SeqTracker(size_t max_ranges) : max_ranges_(max_ranges) {}

  bool Contains(uint64_t seq) const;
  // Whether Insert may still need a range of its own.
  bool full() const { return ranges_.size() >= max_ranges_; }
  // Separate runs.
  size_t size() const { return ranges_.size(); }
  // The greatest that was seen. 0: none.
  uint64_t greatest() const { return ranges_.empty() ? 0 : ranges_.rbegin()->second; }

  // REQUIRES: seq > 0, !Contains(seq), !full().
  Change Insert(uint64_t seq);
  // Everything up to `seq` counts as seen.
  Change Settle(uint64_t seq);

  // As read back from disk. REQUIRES: above every range there is, and not adjacent to one.
  void Restore(Range range) { ranges_.emplace(range.first, range.last); }
  void Clear() { ranges_.clear(); }

  std::vector<Range> ranges() const;

 private:
  size_t max_ranges_;
  // first -> last; disjoint and not adjacent.
  std::map<uint64_t, uint64_t> ranges_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_SEQ_TRACKER_H_
