#include "gateway/doors/webpush/vapid.h"

#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base64.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "crypto/openssl_ptr.h"
#include "crypto/p256.h"
#include "nlohmann/json.hpp"
#include "openssl/ecdsa.h"
#include "openssl/err.h"
#include "openssl/evp.h"
#include "openssl/sha.h"

namespace bellwire::webpush {
namespace {

constexpr size_t kSignatureBytes = 64;
// Nobody has more names.
constexpr size_t kMaxAudiences = 8;
// A P-256 SubjectPublicKeyInfo is this and the uncompressed point.
constexpr absl::string_view kSpkiHead(
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
    "\x03\x42\x00",
    kP256PublicKeyBytes - kVapidKeyBytes);

using EcdsaSigPtr = OpenSslPtr<ECDSA_SIG, ECDSA_SIG_free>;

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL", message);
}

// The value of a parameter, without the quotes that it may have.
absl::string_view Unquoted(absl::string_view value) {
  value = absl::StripAsciiWhitespace(value);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return value;
}

// The first `name=value` among parameters that commas or semicolons divide.
std::optional<absl::string_view> FindParameter(absl::string_view parameters,
                                               absl::string_view name) {
  for (const absl::string_view part : absl::StrSplit(parameters, absl::ByAnyChar(",;"))) {
    const absl::string_view parameter = absl::StripAsciiWhitespace(part);
    const size_t equals = parameter.find('=');
    if (equals == absl::string_view::npos) continue;
    if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parameter.substr(0, equals)), name)) {
      return Unquoted(parameter.substr(equals + 1));
    }
  }
  return std::nullopt;
}

absl::StatusOr<VapidCredential> WithKey(absl::string_view jwt, absl::string_view key_text) {
  // The longest spelling of a key has 88 characters. Which alphabet and padding it has is no
  // matter.
  std::optional<std::string> key;
  if (key_text.size() <= 88) key = DecodeAnyBase64(key_text);
  if (!key.has_value() || key->size() != kVapidKeyBytes || key->front() != '\x04') {
    return Bad("The VAPID key is not an uncompressed P-256 point of 65 bytes in base64url.");
  }
  return VapidCredential{.jwt = std::string(jwt), .key = *std::move(key)};
}

// nullopt: not an object.
std::optional<nlohmann::json> ParseObject(const std::string& text) {
  nlohmann::json object = nlohmann::json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  return object;
}

bool IsString(const nlohmann::json& object, const char* name, absl::string_view value) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() &&
         it->get_ref<const nlohmann::json::string_t&>() == value;
}

absl::StatusOr<std::vector<std::string>> AudiencesOf(const nlohmann::json& claims) {
  const auto aud = claims.find("aud");
  if (aud == claims.end()) return Bad("The JWT has no claim aud, the origin of the endpoint.");
  std::vector<std::string> audiences;
  if (aud->is_string()) {
    audiences.push_back(aud->get<std::string>());
  } else if (aud->is_array() && aud->size() <= kMaxAudiences) {
    for (const nlohmann::json& each : *aud) {
      if (each.is_string()) audiences.push_back(each.get<std::string>());
    }
  }
  if (audiences.empty()) return Bad("The JWT's claim aud is no origin.");
  return audiences;
}

}  // namespace

absl::StatusOr<std::optional<VapidCredential>> ParseVapid(const http::HeaderList& headers) {
  const std::string* authorization = http::FindHeader(headers, "authorization");
  if (authorization == nullptr) return std::nullopt;
  const absl::string_view value = absl::StripAsciiWhitespace(*authorization);
  const size_t space = value.find_first_of(" \t");
  const absl::string_view scheme = value.substr(0, space);
  const absl::string_view rest =
      space == absl::string_view::npos ? "" : absl::StripAsciiWhitespace(value.substr(space));
  if (absl::EqualsIgnoreCase(scheme, "vapid")) {
    const std::optional<absl::string_view> jwt = FindParameter(rest, "t");
    const std::optional<absl::string_view> key = FindParameter(rest, "k");
    if (!jwt.has_value() || !key.has_value()) {
      return Bad("The Authorization is not of the form: vapid t=JWT, k=KEY.");
    }
    return WithKey(*jwt, *key);
  }
  if (absl::EqualsIgnoreCase(scheme, "webpush") || absl::EqualsIgnoreCase(scheme, "bearer")) {
    for (const http::Header& header : headers) {
      if (header.name != "crypto-key") continue;
      const std::optional<absl::string_view> key = FindParameter(header.value, "p256ecdsa");
      if (key.has_value()) return WithKey(rest, *key);
    }
    return Bad("With this form of Authorization the field Crypto-Key must say p256ecdsa=KEY.");
  }
  return Bad("The Authorization is not VAPID (RFC 8292): vapid t=JWT, k=KEY.");
}

absl::StatusOr<VapidClaims> ParseVapidJwt(absl::string_view jwt) {
  if (jwt.size() > kMaxJwtBytes) {
    return Bad(
        absl::StrCat("The JWT has ", jwt.size(), " bytes; at most ", kMaxJwtBytes, " are read."));
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(jwt, '.');
  if (parts.size() != 3) return Bad("The credential is not a JWT (header.claims.signature).");
  const std::optional<std::string> header_text = DecodeBase64Url(parts[0]);
  const std::optional<std::string> claims_text = DecodeBase64Url(parts[1]);
  const std::optional<std::string> signature = DecodeBase64Url(parts[2]);
  if (!header_text.has_value() || !claims_text.has_value() || !signature.has_value()) {
    return Bad("The JWT's parts are not base64url without padding.");
  }
  if (signature->size() != kSignatureBytes) return Bad("The JWT's signature is not an ES256 one.");
  const std::optional<nlohmann::json> header = ParseObject(*header_text);
  const std::optional<nlohmann::json> claims = ParseObject(*claims_text);
  if (!header.has_value() || !claims.has_value()) {
    return Bad("The JWT's header or claims are malformed.");
  }
  // An attacker chooses `alg`.
  if (!IsString(*header, "alg", "ES256")) return Bad("The JWT's alg is not ES256.");
  if (header->contains("crit")) {
    return Bad("The JWT has critical header parameters (crit); none are known.");
  }
  VapidClaims parsed;
  BELLWIRE_ASSIGN_OR_RETURN(parsed.audiences, AudiencesOf(*claims));
  const auto exp = claims->find("exp");
  if (exp == claims->end() || !exp->is_number() || !std::isfinite(exp->get<double>())) {
    return Bad("The JWT has no claim exp, a number of seconds since the Unix epoch.");
  }
  parsed.expires_at = absl::UnixEpoch() + absl::Seconds(exp->get<double>());
  return parsed;
}

absl::Status CheckVapidSignature(absl::string_view jwt, absl::string_view key) {
  const absl::Status wrong = Bad("The JWT's signature is not by the VAPID key of the request.");
  const EvpPkeyPtr public_key = ParseP256PublicKey(absl::StrCat(kSpkiHead, key));
  if (public_key == nullptr) return Bad("The VAPID key is not a point of the curve P-256.");
  const size_t dot = jwt.rfind('.');
  if (dot == absl::string_view::npos) return wrong;
  const std::optional<std::string> raw = DecodeBase64Url(jwt.substr(dot + 1));
  if (!raw.has_value() || raw->size() != kSignatureBytes) return wrong;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(raw->data());
  const EcdsaSigPtr signature(ECDSA_SIG_new());
  // The signature owns both from here on.
  BIGNUM* const r = BN_bin2bn(bytes, kSignatureBytes / 2, nullptr);
  BIGNUM* const s = BN_bin2bn(bytes + kSignatureBytes / 2, kSignatureBytes / 2, nullptr);
  if (signature == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return wrong;
  }
  unsigned char* der = nullptr;
  const int der_size = i2d_ECDSA_SIG(signature.get(), &der);
  if (der_size <= 0) return wrong;
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  const absl::string_view signed_text = jwt.substr(0, dot);
  const bool good =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, public_key.get()) == 1 &&
      EVP_DigestVerify(context.get(), der, static_cast<size_t>(der_size),
                       reinterpret_cast<const unsigned char*>(signed_text.data()),
                       signed_text.size()) == 1;
  OPENSSL_free(der);
  // A wrong signature is an answer, not an error for others to find.
  ERR_clear_error();
  return good ? absl::OkStatus() : wrong;
}

VapidVerifier::VapidVerifier(PublicUrls urls, const Clock* clock)
    : urls_(std::move(urls)), clock_(clock), verified_(kMaxCachedJwts) {}

absl::Status VapidVerifier::Verify(const VapidCredential& credential) {
  Digest digest;
  const std::string both = absl::StrCat(credential.key, credential.jwt);
  SHA256(reinterpret_cast<const unsigned char*>(both.data()), both.size(), digest.data());
  const absl::Time now = clock_->WallNow();
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time* known = verified_.Find(digest, clock_->Monotonic());
    if (known != nullptr && now < *known) return absl::OkStatus();
  }
  BELLWIRE_ASSIGN_OR_RETURN(const VapidClaims claims, ParseVapidJwt(credential.jwt));
  if (claims.expires_at <= now) {
    return MakeError(absl::StatusCode::kUnauthenticated, "EXPIRED_CREDENTIAL",
                     "The JWT's exp has passed: sign a new one.");
  }
  if (claims.expires_at > now + kMaxVapidLife + kMaxJwtClockSkew) {
    return Bad("The JWT's exp is more than 24 hours ahead.");
  }
  bool for_us = false;
  for (const std::string& audience : claims.audiences) for_us |= urls_.Contains(audience);
  if (!for_us) {
    return Bad(absl::StrCat("The JWT's aud is not the origin of the endpoint",
                            urls_.empty() ? "" : absl::StrCat(": ", urls_.first()), "."));
  }
  BELLWIRE_RETURN_IF_ERROR(CheckVapidSignature(credential.jwt, credential.key));
  absl::MutexLock lock(&mutex_);
  verified_.Put(digest, claims.expires_at, clock_->Monotonic() + (claims.expires_at - now));
  return absl::OkStatus();
}

}  // namespace bellwire::webpush
