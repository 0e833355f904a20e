#include "net/peers/peer_key.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace bellwire::net {
namespace {

constexpr uint8_t kIpv4 = 4, kIpv6 = 6, kProof = 1;
constexpr size_t kIpv6SiteBytes = 8;
// Where an IPv4 address begins in one that is mapped into IPv6.
constexpr size_t kMappedOffset = 12;

}  // namespace

PeerKey PeerKey::OfAddress(const SocketAddress& address) {
  PeerKey key;
  if (address.family() == AF_INET) {
    sockaddr_in v4;
    memcpy(&v4, &address.storage, sizeof(v4));
    key.kind_ = kIpv4;
    memcpy(key.bytes_.data(), &v4.sin_addr, sizeof(v4.sin_addr));
  } else if (address.family() == AF_INET6) {
    sockaddr_in6 v6;
    memcpy(&v6, &address.storage, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      key.kind_ = kIpv4;
      memcpy(key.bytes_.data(), v6.sin6_addr.s6_addr + kMappedOffset, sizeof(in_addr));
    } else {
      key.kind_ = kIpv6;
      memcpy(key.bytes_.data(), v6.sin6_addr.s6_addr, kIpv6SiteBytes);
    }
  }
  return key;
}

PeerKey PeerKey::OfProof(absl::string_view proof) {
  PeerKey key;
  key.kind_ = kProof;
  memcpy(key.bytes_.data(), proof.data(), std::min(proof.size(), key.bytes_.size()));
  return key;
}

absl::string_view PeerKey::address_bytes() const {
  const auto* const bytes = reinterpret_cast<const char*>(bytes_.data());
  if (kind_ == kIpv4) return {bytes, sizeof(in_addr)};
  if (kind_ == kIpv6) return {bytes, kIpv6SiteBytes};
  return {};
}

}  // namespace bellwire::net
