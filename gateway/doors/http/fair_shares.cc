#include "gateway/doors/http/fair_shares.h"

#include <cassert>

namespace bellwire::http {

FairShares::Member::Member(FairShares* shares, const net::PeerKey& peer)
    : shares_(shares), peer_([shares, &peer] {
        absl::MutexLock lock(&shares->mutex_);
        Peers::value_type& entry = *shares->peers_.try_emplace(peer).first;
        ++entry.second.members;
        return &entry;
      }()) {}

FairShares::Member::~Member() {
  absl::MutexLock lock(&shares_->mutex_);
  shares_->taken_ -= taken_;
  peer_->second.taken -= taken_;
  if (--peer_->second.members == 0) shares_->peers_.erase(net::PeerKey(peer_->first));
}

bool FairShares::Member::Take(size_t amount) {
  absl::MutexLock lock(&shares_->mutex_);
  const size_t half = shares_->capacity_ / 2;
  const size_t taken = shares_->taken_ + amount;
  if (taken > shares_->capacity_) return false;
  if (taken > half && peer_->second.taken + amount > half / shares_->peers_.size()) return false;
  shares_->taken_ = taken;
  peer_->second.taken += amount;
  taken_ += amount;
  return true;
}

void FairShares::Member::TakeAnyway(size_t amount) {
  absl::MutexLock lock(&shares_->mutex_);
  shares_->taken_ += amount;
  peer_->second.taken += amount;
  taken_ += amount;
}

void FairShares::Member::Give(size_t amount) {
  assert(amount <= taken_);
  absl::MutexLock lock(&shares_->mutex_);
  shares_->taken_ -= amount;
  peer_->second.taken -= amount;
  taken_ -= amount;
}

}  // namespace bellwire::http
