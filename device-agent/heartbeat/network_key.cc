#include "device-agent/heartbeat/network_key.h"

#include <openssl/sha.h>

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bellwire::agent {
namespace {

// Of the first byte of a link-layer address: no maker gave it.
constexpr uint32_t kLocallyAdministered = 0x02;
// RFC 5798.
constexpr absl::string_view kVirtualRouter = "00:00:5e:";

NetworkId DigestOf(absl::string_view text) {
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  return *NetworkId::FromBytes(
      absl::string_view(reinterpret_cast<const char*>(digest), NetworkId::kSize));
}

}  // namespace

absl::string_view Name(NetworkKey::Kind kind) {
  switch (kind) {
    case NetworkKey::Kind::kUnknown:
      return "unknown";
    case NetworkKey::Kind::kEthernet:
      return "ethernet";
    case NetworkKey::Kind::kWifi:
      return "wifi";
    case NetworkKey::Kind::kCellular:
      return "cellular";
  }
  return "unknown";
}

NetworkId NetworkKey::Id() const {
  // Lengths keep ("ab", "c") and ("a", "bc") apart.
  return DigestOf(absl::StrCat("bellwire network v1:", static_cast<int>(kind), ":", name.size(),
                               ":", name, ":", gateway));
}

std::optional<NetworkId> NetworkKey::SharedId() const {
  // "00:1a:2b:3c:4d:5e"
  uint32_t first = 0;
  const bool is_link_layer = gateway.size() == 17 && gateway[2] == ':' &&
                             absl::SimpleHexAtoi(gateway.substr(0, 2), &first);
  if (!is_link_layer || (first & kLocallyAdministered) != 0) return std::nullopt;
  const std::string address = absl::AsciiStrToLower(gateway);
  if (absl::StartsWith(address, kVirtualRouter)) return std::nullopt;
  return DigestOf(absl::StrCat("bellwire shared network v1:", address));
}

}  // namespace bellwire::agent
