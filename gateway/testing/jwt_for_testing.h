#ifndef BELLWIRE_GATEWAY_TESTING_JWT_FOR_TESTING_H_
#define BELLWIRE_GATEWAY_TESTING_JWT_FOR_TESTING_H_

#include <string>

#include "absl/time/time.h"

namespace bellwire::gateway {

// The parts of a JWT, good and bad, for SignJwtForTesting. Empty strings and an unset time leave
// the member out.
struct JwtPartsForTesting {
  std::string algorithm = "ES256";  // Any that libjwt knows; "none" too.
  std::string key_id;
  std::string team_id;
  absl::Time issued_at = absl::InfinitePast();
  // Added to the header, as JSON: {"crit":["b64"]}.
  std::string extra_headers_json;
  // Added to the claims, as JSON.
  std::string extra_claims_json;
};

// `key` is a private key in PEM, or a secret for HS256, or empty for none.
std::string SignJwtForTesting(const JwtPartsForTesting& parts, const std::string& key);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TESTING_JWT_FOR_TESTING_H_
