#ifndef BELLWIRE_GATEWAY_AUTH_JWT_H_
#define BELLWIRE_GATEWAY_AUTH_JWT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/public_urls.h"

// The JWTs that providers prove themselves with (RFC 7519): ES256 only, and the assertions of
// service accounts (RFC 7523): RS256 only. libjwt does the work; this keeps each to its one
// algorithm and the one form. Pure functions.
//
// Errors are UNAUTHENTICATED BAD_CREDENTIAL unless they say otherwise, and never show the JWT.
namespace bellwire::gateway {

// What a JWT claims. Proves nothing before VerifyJwt.
struct JwtClaims {
  std::string key_id;    // Header `kid`.
  std::string team_id;   // Claim `iss`.
  absl::Time issued_at;  // Claim `iat`; a fraction of a second is fine (RFC 7519, NumericDate).
  // Claim `exp`. nullopt: there is none.
  std::optional<absl::Time> expires_at;
  // Claim `aud`, one text or several. Empty: there is none.
  std::vector<std::string> audiences;

  // From here on it is too old.
  absl::Time ends_at() const;
};

// Refuses what is malformed (an `aud` or `exp` of another form, too), larger than kMaxJwtBytes, not
// ES256, or has critical header parameters (`crit`): it could mean anything to its maker.
absl::StatusOr<JwtClaims> ParseJwt(absl::string_view jwt);

// BAD_CREDENTIAL if `iat` is more than kMaxJwtClockSkew ahead, EXPIRED_CREDENTIAL if it is more
// than kMaxJwtAge ago, or `exp` has come.
absl::Status CheckJwtAge(const JwtClaims& claims, absl::Time now);

// BAD_CREDENTIAL if there is an `aud` and none of it is a public URL of this server: the JWT is
// meant for somebody else, who could use it here.
absl::Status CheckJwtAudience(const JwtClaims& claims, const PublicUrls& public_urls);

// Whether the private half of `public_key_pem` (SubjectPublicKeyInfo, P-256) signed it.
// REQUIRES: ParseJwt took it.
absl::Status VerifyJwt(absl::string_view jwt, absl::string_view public_key_pem);

// What a service account asserts to get an access token. Proves nothing before VerifyAssertion.
struct AssertionClaims {
  std::string key_id;     // Header `kid`; empty: there is none.
  std::string issuer;     // Claim `iss`: the account's name.
  std::string audience;   // Claim `aud`, one text.
  std::string scope;      // Claim `scope`: names with spaces between; empty: there is none.
  absl::Time issued_at;   // Claim `iat`.
  absl::Time expires_at;  // Claim `exp`.
};

// As ParseJwt, but RS256.
absl::StatusOr<AssertionClaims> ParseAssertion(absl::string_view jwt);

// BAD_CREDENTIAL if it was not issued within kMaxJwtAge before now or kMaxJwtClockSkew after it,
// has expired, or lives for longer than kMaxJwtAge.
absl::Status CheckAssertionTimes(const AssertionClaims& claims, absl::Time now);

// Whether the private half of `public_key_pem` (SubjectPublicKeyInfo, RSA) signed it.
// REQUIRES: ParseAssertion took it.
absl::Status VerifyAssertion(absl::string_view jwt, absl::string_view public_key_pem);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_JWT_H_
