#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_MEMORY_ACCOUNT_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_MEMORY_ACCOUNT_H_

#include <cstddef>

#include "gateway/doors/http/fair_shares.h"

namespace bellwire::http {

// The memory of one connection, as part of what its peer may have. Takes from the shares in steps
// of kStep, so that most requests cost no lock. Single-threaded.
class MemoryAccount {
 public:
  static constexpr size_t kStep = 16 * 1024;

  // `shares` outlives the account.
  MemoryAccount(FairShares* shares, const net::PeerKey& peer) : member_(shares, peer) {}

  // False: the peer has its share already.
  bool Add(size_t bytes) {
    const size_t missing = Missing(bytes);
    if (missing > 0 && !member_.Take(missing)) return false;
    used_ += bytes;
    return true;
  }
  void AddAnyway(size_t bytes) {
    if (const size_t missing = Missing(bytes); missing > 0) member_.TakeAnyway(missing);
    used_ += bytes;
  }
  // REQUIRES: added.
  void Remove(size_t bytes) {
    used_ -= bytes;
    // One step stays, for what comes next.
    const size_t spare = member_.taken() - used_;
    if (spare >= 3 * kStep) member_.Give(spare / kStep * kStep - kStep);
  }
  size_t used() const { return used_; }

 private:
  size_t Missing(size_t bytes) const {
    const size_t needed = used_ + bytes;
    if (needed <= member_.taken()) return 0;
    return (needed - member_.taken() + kStep - 1) / kStep * kStep;
  }

  FairShares::Member member_;
  size_t used_ = 0;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_MEMORY_ACCOUNT_H_
