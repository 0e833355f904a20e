// Whatever comes as a JWT or an assertion, it is read or refused, never as both; and none is
// verified by a key that signed nothing.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "gateway/auth/jwt.h"

namespace {

// The private half was thrown away.
constexpr char kPublicKey[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAETNvz/CpPPvG3Md7CruCJQIlHlooQ\n"
    "f3/47eVGB6Gy2IwF5Xus5w130S87GKmTccCJAv4dulphldYMnPPjK+dq1A==\n"
    "-----END PUBLIC KEY-----\n";

constexpr char kRsaPublicKey[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAt6eW+jTcoOa7Lm0rbzYk\n"
    "03OkbDSPmQO9JW/i3Ds9z6Tad9EF6snnBKrwgzh2a1nqy5erDnsQXcjYNI6tLFSy\n"
    "3Qf8Iad8ItA0NHPeq2WLtvpd9Fry7ihkbf/MqQBGOVkVzmsDQHPSN8Qni02H0HfR\n"
    "+3UsWhbpQbKHlckvhmVMGDg3jKObP/Ebe0utZ9XtyHVMf9L8Mp5XrduoZKyJfOa+\n"
    "8MVpY0Lprx9Wfiy7f8aCuUwr/k6wS2PrN+Zb7iz4I/eVA1dxqu6x4zcY3qusUD7X\n"
    "TGL3NjQUxhpEutZQJyFDuh2JtPblIo6iY/vDWceQOucYYDXtefdCpxM+QfRCApI/\n"
    "8wIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

void ReadAssertion(absl::string_view jwt) {
  const auto claims = bellwire::gateway::ParseAssertion(jwt);
  if (!claims.ok()) {
    if (bellwire::ErrorReason(claims.status()) != "BAD_CREDENTIAL") std::abort();
    return;
  }
  (void)bellwire::gateway::CheckAssertionTimes(*claims, absl::FromUnixSeconds(1'767'225'600));
  if (bellwire::gateway::ParseJwt(jwt).ok()) std::abort();
  for (const char* key : {kPublicKey, kRsaPublicKey}) {
    if (bellwire::gateway::VerifyAssertion(jwt, key).ok()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view jwt(reinterpret_cast<const char*>(data), size);
  ReadAssertion(jwt);
  const auto claims = bellwire::gateway::ParseJwt(jwt);
  if (!claims.ok()) {
    if (bellwire::ErrorReason(claims.status()) != "BAD_CREDENTIAL") std::abort();
    return 0;
  }
  if (claims->key_id.empty() || claims->team_id.empty()) std::abort();
  for (const char* key : {kPublicKey, kRsaPublicKey}) {
    if (bellwire::gateway::VerifyJwt(jwt, key).ok()) std::abort();
  }
  return 0;
}
