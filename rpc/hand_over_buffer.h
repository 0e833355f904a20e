#ifndef BELLWIRE_RPC_HAND_OVER_BUFFER_H_
#define BELLWIRE_RPC_HAND_OVER_BUFFER_H_

#include <cstddef>
#include <deque>
#include <utility>

#include "absl/container/btree_map.h"
#include "bellwire/internal/v1/internal.pb.h"

namespace bellwire {

// What waits to be written to one connector, in order: answers and hand-overs.
//
// A slow connector costs a bounded amount: beyond `max_bytes` a delivery is dropped, and its
// session keeps a mark instead, however many of its deliveries were. The mark (a Missed of that
// session) goes out as soon as half of the room is free, and the session fetches from its mailbox
// what it did not get. Until then all its deliveries are dropped: none passes its mark. Answers are
// never dropped: there are no more than the connector asked for.
//
// Pure. Not thread-safe.
class HandOverBuffer {
 public:
  // 1,000 of the largest messages: what a connector takes in some 50 ms.
  static constexpr size_t kMaxHandOverBytes = size_t{4} * 1024 * 1024;

  explicit HandOverBuffer(size_t max_bytes = kMaxHandOverBytes) : max_bytes_(max_bytes) {}

  // True: `event` will come out of Pop. False: it is a hand-over, and there is no room for it. A
  // delivery leaves a mark, and the eviction of a revoked device is one itself; anything else is
  // lost, as it is when there is no session.
  bool Push(internal::v1::SessionEvent event);

  // Whether Pop has something.
  bool empty() const { return queue_.empty(); }
  // The next one. REQUIRES: !empty().
  internal::v1::SessionEvent Pop();

  bool has_marks() const { return !marks_.empty(); }
  size_t bytes() const { return bytes_; }

 private:
  // Sessions of an earlier life of the connector may have the same number.
  using Session = std::pair<uint64_t, uint64_t>;

  size_t max_bytes_;
  std::deque<internal::v1::SessionEvent> queue_;
  size_t bytes_ = 0;
  // At most one for each session of the connector. In an order that does not change from run to
  // run.
  absl::btree_map<Session, internal::v1::ConnectorRequest> marks_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_HAND_OVER_BUFFER_H_
