#include "gateway/auth/jwt.h"

#include <jwt.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base64.h"
#include "common/error.h"
#include "common/limits.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

struct JwtDeleter {
  void operator()(jwt_t* jwt) const { jwt_free(jwt); }
};
struct FreeDeleter {
  void operator()(char* text) const { std::free(text); }
};
using JwtPtr = std::unique_ptr<jwt_t, JwtDeleter>;

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL", message);
}

// Three parts of base64url, none of them empty. libjwt's decoder is lenient, and writes past its
// buffer if a part is empty: nothing else reaches it. A part in another spelling would be the same
// credential under another name.
bool IsCompactJws(absl::string_view jwt) {
  const std::vector<absl::string_view> parts = absl::StrSplit(jwt, '.');
  if (parts.size() != 3) return false;
  for (const absl::string_view part : parts) {
    if (part.empty() || !IsBase64Url(part)) return false;
  }
  return true;
}

// With an empty key libjwt only parses, and then says JWT_ALG_NONE whatever the header says.
JwtPtr Decode(absl::string_view jwt, absl::string_view key) {
  jwt_t* decoded = nullptr;
  const int error =
      jwt_decode(&decoded, std::string(jwt).c_str(),
                 key.empty() ? nullptr : reinterpret_cast<const unsigned char*>(key.data()),
                 static_cast<int>(key.size()));
  if (error != 0) return nullptr;
  return JwtPtr(decoded);
}

absl::string_view OrEmpty(const char* text) { return text == nullptr ? "" : text; }

// Decodes what is of the one form and algorithm, and verifies nothing.
absl::StatusOr<JwtPtr> DecodeOf(absl::string_view algorithm, absl::string_view jwt) {
  if (jwt.size() > kMaxJwtBytes) {
    return Bad(absl::StrCat("The JWT has ", jwt.size(), " bytes; at most ", kMaxJwtBytes,
                            " are read. It needs alg, kid, iss and iat only."));
  }
  if (!IsCompactJws(jwt)) return Bad("The credential is not a JWT (header.claims.signature).");
  JwtPtr decoded = Decode(jwt, "");
  if (decoded == nullptr) return Bad("The JWT's header or claims are malformed.");

  // An attacker chooses `alg`: HS256 would make a secret of the public key, `none` asks for
  // nothing.
  if (OrEmpty(jwt_get_header(decoded.get(), "alg")) != algorithm) {
    return Bad(absl::StrCat("The JWT's alg is not ", algorithm, ", the only one taken."));
  }
  const std::unique_ptr<char, FreeDeleter> crit(jwt_get_headers_json(decoded.get(), "crit"));
  if (crit != nullptr) return Bad("The JWT has critical header parameters (crit); none are known.");
  return decoded;
}

// nullopt: there is no such claim, or it is no number. A fraction is fine.
std::optional<absl::Time> TimeClaim(const JwtPtr& decoded, const char* name) {
  const std::unique_ptr<char, FreeDeleter> claim(jwt_get_grants_json(decoded.get(), name));
  double seconds;
  if (claim == nullptr || !absl::SimpleAtod(claim.get(), &seconds)) return std::nullopt;
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

bool HasClaim(const JwtPtr& decoded, const char* name) {
  const std::unique_ptr<char, FreeDeleter> claim(jwt_get_grants_json(decoded.get(), name));
  return claim != nullptr;
}

// Empty: there is no `aud`. nullopt: it is of another form, or names nobody.
std::optional<std::vector<std::string>> AudienceClaim(const JwtPtr& decoded) {
  const std::unique_ptr<char, FreeDeleter> claim(jwt_get_grants_json(decoded.get(), "aud"));
  std::vector<std::string> audiences;
  if (claim == nullptr) return audiences;
  const auto one_or_more = nlohmann::json::parse(claim.get(), nullptr, /*allow_exceptions=*/false);
  const auto take = [&audiences](const nlohmann::json& value) {
    if (value.is_string()) audiences.push_back(value.get<std::string>());
    return value.is_string();
  };
  if (!one_or_more.is_array()) {
    if (!take(one_or_more)) return std::nullopt;
    return audiences;
  }
  if (one_or_more.empty() || !std::all_of(one_or_more.begin(), one_or_more.end(), take)) {
    return std::nullopt;
  }
  return audiences;
}

}  // namespace

absl::StatusOr<JwtClaims> ParseJwt(absl::string_view jwt) {
  const absl::StatusOr<JwtPtr> parsed = DecodeOf("ES256", jwt);
  if (!parsed.ok()) return parsed.status();
  const JwtPtr& decoded = *parsed;
  JwtClaims claims;
  claims.key_id = std::string(OrEmpty(jwt_get_header(decoded.get(), "kid")));
  if (claims.key_id.empty()) return Bad("The JWT's header has no kid, the id of the signing key.");
  claims.team_id = std::string(OrEmpty(jwt_get_grant(decoded.get(), "iss")));
  if (claims.team_id.empty()) return Bad("The JWT has no claim iss, the id of the team.");
  const std::optional<absl::Time> issued_at = TimeClaim(decoded, "iat");
  if (!issued_at.has_value()) {
    return Bad("The JWT has no claim iat, a number of seconds since the Unix epoch.");
  }
  claims.issued_at = *issued_at;
  claims.expires_at = TimeClaim(decoded, "exp");
  if (!claims.expires_at.has_value() && HasClaim(decoded, "exp")) {
    return Bad("The JWT's claim exp is not a number of seconds since the Unix epoch.");
  }
  std::optional<std::vector<std::string>> audiences = AudienceClaim(decoded);
  if (!audiences.has_value()) return Bad("The JWT's claim aud is no text, nor a list of texts.");
  claims.audiences = *std::move(audiences);
  return claims;
}

absl::Time JwtClaims::ends_at() const {
  return std::min(issued_at + kMaxJwtAge, expires_at.value_or(absl::InfiniteFuture()));
}

absl::Status CheckJwtAudience(const JwtClaims& claims, const PublicUrls& public_urls) {
  if (claims.audiences.empty()) return absl::OkStatus();
  for (const std::string& audience : claims.audiences) {
    if (public_urls.Contains(audience)) return absl::OkStatus();
  }
  return Bad(public_urls.empty()
                 ? "The JWT's aud can't name this server, which has no --public_url: leave aud out."
                 : absl::StrCat("The JWT's aud is not this server's URL: name ",
                                public_urls.first(), ", or leave aud out."));
}

absl::Status CheckJwtAge(const JwtClaims& claims, absl::Time now) {
  const absl::Time issued_at = claims.issued_at;
  if (issued_at > now + kMaxJwtClockSkew) {
    return Bad(absl::StrCat("The JWT's iat is ", absl::FormatDuration(issued_at - now),
                            " in the future: check the clock of the signing machine."));
  }
  if (issued_at < now - kMaxJwtAge) {
    return MakeError(absl::StatusCode::kUnauthenticated, "EXPIRED_CREDENTIAL",
                     "The JWT's iat is more than one hour ago: sign a new one.");
  }
  if (claims.expires_at.has_value() && *claims.expires_at <= now) {
    return MakeError(absl::StatusCode::kUnauthenticated, "EXPIRED_CREDENTIAL",
                     "The JWT's exp has come: sign a new one.");
  }
  return absl::OkStatus();
}

absl::Status VerifyJwt(absl::string_view jwt, absl::string_view public_key_pem) {
  const JwtPtr decoded = Decode(jwt, public_key_pem);
  if (decoded == nullptr || jwt_get_alg(decoded.get()) != JWT_ALG_ES256) {
    return Bad("The JWT's signature is not by the key that its kid names.");
  }
  return absl::OkStatus();
}

absl::StatusOr<AssertionClaims> ParseAssertion(absl::string_view jwt) {
  const absl::StatusOr<JwtPtr> parsed = DecodeOf("RS256", jwt);
  if (!parsed.ok()) return parsed.status();
  const JwtPtr& decoded = *parsed;
  AssertionClaims claims;
  claims.key_id = std::string(OrEmpty(jwt_get_header(decoded.get(), "kid")));
  claims.issuer = std::string(OrEmpty(jwt_get_grant(decoded.get(), "iss")));
  claims.audience = std::string(OrEmpty(jwt_get_grant(decoded.get(), "aud")));
  claims.scope = std::string(OrEmpty(jwt_get_grant(decoded.get(), "scope")));
  const std::optional<absl::Time> issued_at = TimeClaim(decoded, "iat");
  const std::optional<absl::Time> expires_at = TimeClaim(decoded, "exp");
  if (!issued_at.has_value() || !expires_at.has_value()) {
    return Bad("The JWT has no claims iat and exp, numbers of seconds since the Unix epoch.");
  }
  claims.issued_at = *issued_at;
  claims.expires_at = *expires_at;
  return claims;
}

absl::Status CheckAssertionTimes(const AssertionClaims& claims, absl::Time now) {
  if (claims.issued_at > now + kMaxJwtClockSkew || claims.issued_at < now - kMaxJwtAge ||
      claims.expires_at <= now || claims.expires_at > claims.issued_at + kMaxJwtAge) {
    return Bad(
        "The JWT must live for one hour at most (iat to exp), and now must be within it: check the "
        "clock of the signing machine.");
  }
  return absl::OkStatus();
}

absl::Status VerifyAssertion(absl::string_view jwt, absl::string_view public_key_pem) {
  const JwtPtr decoded = Decode(jwt, public_key_pem);
  if (decoded == nullptr || jwt_get_alg(decoded.get()) != JWT_ALG_RS256) {
    return Bad("The JWT's signature is not by the key of the service account.");
  }
  return absl::OkStatus();
}

}  // namespace bellwire::gateway
