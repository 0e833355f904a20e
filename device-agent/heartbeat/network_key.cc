#include "device-agent/heartbeat/network_key.h"

#include <openssl/sha.h>

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bellwire::agent {

NetworkId NetworkKey::Id() const {
  // Lengths keep ("ab", "c") and ("a", "bc") apart.
  const std::string text = absl::StrCat("bellwire network v1:", static_cast<int>(kind), ":",
                                        name.size(), ":", name, ":", gateway);
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  return *NetworkId::FromBytes(
      absl::string_view(reinterpret_cast<const char*>(digest), NetworkId::kSize));
}

}  // namespace bellwire::agent
