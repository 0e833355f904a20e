#include "gateway/testing/jwt_for_testing.h"

#include <jwt.h>

#include <cstdlib>

namespace bellwire::gateway {
namespace {

// In a test the only way on from a failure of libjwt is to fail.
void Check(int error) {
  if (error != 0) std::abort();
}

}  // namespace

std::string SignJwtForTesting(const JwtPartsForTesting& parts, const std::string& key) {
  jwt_t* jwt = nullptr;
  Check(jwt_new(&jwt));
  if (!parts.key_id.empty()) Check(jwt_add_header(jwt, "kid", parts.key_id.c_str()));
  if (!parts.extra_headers_json.empty()) {
    Check(jwt_add_headers_json(jwt, parts.extra_headers_json.c_str()));
  }
  if (!parts.team_id.empty()) Check(jwt_add_grant(jwt, "iss", parts.team_id.c_str()));
  if (parts.issued_at != absl::InfinitePast()) {
    Check(jwt_add_grant_int(jwt, "iat", absl::ToUnixSeconds(parts.issued_at)));
  }
  if (!parts.extra_claims_json.empty()) {
    Check(jwt_add_grants_json(jwt, parts.extra_claims_json.c_str()));
  }
  Check(jwt_set_alg(jwt, jwt_str_alg(parts.algorithm.c_str()),
                    key.empty() ? nullptr : reinterpret_cast<const unsigned char*>(key.data()),
                    static_cast<int>(key.size())));
  char* encoded = jwt_encode_str(jwt);
  if (encoded == nullptr) std::abort();
  std::string result(encoded);
  std::free(encoded);
  jwt_free(jwt);
  return result;
}

}  // namespace bellwire::gateway
