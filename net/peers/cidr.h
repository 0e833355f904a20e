#ifndef BELLWIRE_NET_PEERS_CIDR_H_
#define BELLWIRE_NET_PEERS_CIDR_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "net/socket/address.h"

namespace bellwire::net {

// A set of address ranges such as "10.0.0.0/8" and "2001:db8::/32"; one address alone is a range
// too. A value: copy it. Thread-safe.
class CidrList {
 public:
  // Empty.
  CidrList() = default;

  //   INVALID_ARGUMENT BAD_CIDR: says which one. Bits behind the prefix are an error: they would
  //   mean something else than what was written.
  static absl::StatusOr<CidrList> Parse(const std::vector<std::string>& ranges);

  // An IPv4 address that comes as an IPv6 one is IPv4.
  bool Contains(const SocketAddress& address) const;
  bool empty() const { return ranges_.empty(); }

 private:
  // IPv4 as IPv6 (RFC 4291, 2.5.5.2).
  using Bytes = std::array<uint8_t, 16>;
  struct Range {
    Bytes bytes;
    int prefix_bits;
  };
  static Bytes BytesOf(const SocketAddress& address);
  static Bytes Masked(Bytes bytes, int prefix_bits);

  std::vector<Range> ranges_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_PEERS_CIDR_H_
