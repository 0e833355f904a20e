// Whatever comes as a JWT, it is read or refused; and none is verified by a key that signed
// nothing.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "common/error.h"
#include "gateway/auth/jwt.h"

namespace {

// The private half was thrown away.
constexpr char kPublicKey[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAETNvz/CpPPvG3Md7CruCJQIlHlooQ\n"
    "f3/47eVGB6Gy2IwF5Xus5w130S87GKmTccCJAv4dulphldYMnPPjK+dq1A==\n"
    "-----END PUBLIC KEY-----\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view jwt(reinterpret_cast<const char*>(data), size);
  const auto claims = bellwire::gateway::ParseJwt(jwt);
  if (!claims.ok()) {
    if (bellwire::ErrorReason(claims.status()) != "BAD_CREDENTIAL") std::abort();
    return 0;
  }
  if (claims->key_id.empty() || claims->team_id.empty()) std::abort();
  if (bellwire::gateway::VerifyJwt(jwt, kPublicKey).ok()) std::abort();
  return 0;
}
