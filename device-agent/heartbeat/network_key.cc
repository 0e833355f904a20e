#include "device-agent/heartbeat/network_key.h"

#include <openssl/sha.h>

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
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

std::string DigestOfName(NetworkKey::Kind kind, absl::string_view name) {
  return absl::BytesToHexString(
      DigestOf(absl::StrCat("bellwire network name v1:", Name(kind), ":", name)).bytes());
}

NetworkId NetworkKey::Id() const {
  if (!name.empty()) {
    return DigestOf(absl::StrCat("bellwire named network v1:", Name(kind), ":", name, ":",
                                 kind == Kind::kCellular ? "" : gateway));
  }
  // Lengths keep ("ab", "c") and ("a", "bc") apart.
  return DigestOf(absl::StrCat("bellwire network v1:", static_cast<int>(kind), ":",
                               interface.size(), ":", interface, ":", gateway));
}

std::optional<NetworkId> NetworkKey::SharedId() const {
  if (kind == Kind::kCellular && !name.empty()) {
    return DigestOf(absl::StrCat("bellwire shared carrier v1:", name));
  }
  // "00:1a:2b:3c:4d:5e"
  uint32_t first = 0;
  const bool is_link_layer = gateway.size() == 17 && gateway[2] == ':' &&
                             absl::SimpleHexAtoi(gateway.substr(0, 2), &first);
  if (!is_link_layer) return std::nullopt;
  const std::string address = absl::AsciiStrToLower(gateway);
  if ((first & kLocallyAdministered) == 0 && !absl::StartsWith(address, kVirtualRouter)) {
    return DigestOf(absl::StrCat("bellwire shared network v1:", address));
  }
  if (kind != Kind::kWifi || name.empty()) return std::nullopt;
  return DigestOf(absl::StrCat("bellwire shared wifi v1:", name, ":", address));
}

}  // namespace bellwire::agent
