#include "gateway/doors/http/fair_shares.h"

#include <netinet/in.h>

#include <cassert>

namespace bellwire::http {

FairShares::Member::Member(FairShares* shares, absl::string_view peer)
    : shares_(shares), peer_([shares, peer] {
        absl::MutexLock lock(&shares->mutex_);
        Peers::value_type& entry = *shares->peers_.try_emplace(std::string(peer)).first;
        ++entry.second.members;
        return &entry;
      }()) {}

FairShares::Member::~Member() {
  absl::MutexLock lock(&shares_->mutex_);
  shares_->taken_ -= taken_;
  peer_->second.taken -= taken_;
  if (--peer_->second.members == 0) shares_->peers_.erase(peer_->first);
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

std::string PeerKey(const net::SocketAddress& address) {
  constexpr size_t kPrefixBytes = 8;
  constexpr size_t kIpv4Offset = 12;
  if (address.family() == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr;
    return std::string(reinterpret_cast<const char*>(&ipv4), sizeof(ipv4));
  }
  if (address.family() == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
    const char* const bytes = reinterpret_cast<const char*>(&ipv6);
    if (IN6_IS_ADDR_V4MAPPED(&ipv6)) return std::string(bytes + kIpv4Offset, 4);
    return std::string(bytes, kPrefixBytes);
  }
  return std::string();
}

}  // namespace bellwire::http
