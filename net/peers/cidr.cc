#include "net/peers/cidr.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::net {
namespace {

constexpr int kMappedBits = 96;

absl::Status BadCidr(absl::string_view text, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CIDR",
                   absl::StrCat("\"", text,
                                "\" is no range of addresses such as 10.0.0.0/8 or "
                                "2001:db8::/32: ",
                                why));
}

}  // namespace

CidrList::Bytes CidrList::BytesOf(const SocketAddress& address) {
  Bytes bytes = {};
  if (address.family() == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    memcpy(&bytes[12], &reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr, 4);
  } else if (address.family() == AF_INET6) {
    memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr, 16);
  }
  return bytes;
}

CidrList::Bytes CidrList::Masked(Bytes bytes, int prefix_bits) {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(prefix_bits - i * 8, 0, 8);
    bytes[static_cast<size_t>(i)] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  return bytes;
}

absl::StatusOr<CidrList> CidrList::Parse(const std::vector<std::string>& ranges) {
  CidrList list;
  for (const std::string& text : ranges) {
    const size_t slash = text.find('/');
    const std::optional<SocketAddress> address = NumericAddress(text.substr(0, slash), 0);
    if (!address.has_value()) return BadCidr(text, "it doesn't begin with an address");
    const bool is_ipv4 = address->family() == AF_INET;
    int prefix_bits = is_ipv4 ? 32 : 128;
    if (slash != std::string::npos) {
      const std::string digits = text.substr(slash + 1);
      const int most = prefix_bits;
      if (digits.empty() || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
          !absl::SimpleAtoi(digits, &prefix_bits) || prefix_bits > most) {
        return BadCidr(text, absl::StrCat("the prefix is a number from 0 to ", most));
      }
    }
    if (is_ipv4) prefix_bits += kMappedBits;
    const Bytes bytes = BytesOf(*address);
    if (Masked(bytes, prefix_bits) != bytes) {
      return BadCidr(text, "the address has bits behind the prefix");
    }
    list.ranges_.push_back({bytes, prefix_bits});
  }
  return list;
}

bool CidrList::Contains(const SocketAddress& address) const {
  if (address.family() != AF_INET && address.family() != AF_INET6) return false;
  const Bytes bytes = BytesOf(address);
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    return Masked(bytes, range.prefix_bits) == range.bytes;
  });
}

}  // namespace bellwire::net
