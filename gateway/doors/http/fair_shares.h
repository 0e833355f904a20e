#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_FAIR_SHARES_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_FAIR_SHARES_H_

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "net/peers/peer_key.h"

namespace bellwire::http {

// Shares `capacity` among peers. The first half goes to whoever asks. Of the second half each peer
// gets its part: a peer may have no more in all than half of the capacity divided by the peers that
// have anything. So one peer alone may take half, and whoever comes then still finds room.
//
// Thread-safe. Must outlive its members.
class FairShares {
 public:
  explicit FairShares(size_t capacity) : capacity_(capacity) {}
  FairShares(const FairShares&) = delete;
  FairShares& operator=(const FairShares&) = delete;

  // What one user, such as a connection, has of its peer's share.
  class Member;

  size_t taken() const {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }

 private:
  struct PeerUse {
    size_t taken = 0;
    size_t members = 0;
  };
  using Peers = absl::node_hash_map<net::PeerKey, PeerUse>;

  const size_t capacity_;
  mutable absl::Mutex mutex_;
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  Peers peers_ ABSL_GUARDED_BY(mutex_);
};

// Destroying it gives everything back. Single-threaded.
class FairShares::Member {
 public:
  Member(FairShares* shares, const net::PeerKey& peer);
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // False: there is none left for this peer.
  bool Take(size_t amount);
  // Whatever is left: for what can't be refused, and is bounded by something else.
  void TakeAnyway(size_t amount);
  // REQUIRES: taken.
  void Give(size_t amount);
  size_t taken() const { return taken_; }

 private:
  FairShares* const shares_;
  // Stays where it is while it has members.
  Peers::value_type* const peer_;
  size_t taken_ = 0;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_FAIR_SHARES_H_
