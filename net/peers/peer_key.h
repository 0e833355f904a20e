#ifndef BELLWIRE_NET_PEERS_PEER_KEY_H_
#define BELLWIRE_NET_PEERS_PEER_KEY_H_

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"
#include "net/socket/address.h"

namespace bellwire::net {

// Whom a connection counts for when places are shared out: an IPv4 address, a /64 of IPv6 (what one
// customer has), or something that the peer proved. Cheap to copy; a key of hash tables.
class PeerKey {
 public:
  // Everybody whose address has no such key, such as a Unix socket's.
  PeerKey() = default;

  // An IPv4 address that comes as an IPv6 one (RFC 4291, 2.5.5.2) counts as IPv4.
  static PeerKey OfAddress(const SocketAddress& address);
  // Of the first 16 bytes, which the peer proved to be its own.
  static PeerKey OfProof(absl::string_view proof);

  // Of an address: its 4 bytes, or the 8 of a /64. Empty for others.
  absl::string_view address_bytes() const;

  friend bool operator==(const PeerKey&, const PeerKey&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const PeerKey& key) {
    return H::combine(std::move(hash), key.kind_, key.bytes_);
  }

 private:
  uint8_t kind_ = 0;
  std::array<uint8_t, 16> bytes_ = {};
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_PEERS_PEER_KEY_H_
