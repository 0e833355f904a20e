#include "gateway/auth/jwt.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/limits.h"
#include "crypto/provider_key.h"
#include "gateway/testing/jwt_for_testing.h"
#include "gtest/gtest.h"
#include "openssl/evp.h"
#include "openssl/pem.h"

namespace bellwire::gateway {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);

ProviderKeyPair NewKey() {
  absl::StatusOr<ProviderKeyPair> key = GenerateProviderKeyPair();
  EXPECT_TRUE(key.ok()) << key.status();
  return *std::move(key);
}

std::string PrivatePem(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  EVP_PKEY_free(key);
  return pem;
}

JwtPartsForTesting GoodParts() {
  JwtPartsForTesting parts;
  parts.key_id = "abcdefghij";
  parts.team_id = "teamteam22";
  parts.issued_at = kNow;
  return parts;
}

void ExpectBad(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL") << status;
}

std::string Encode(absl::string_view header, absl::string_view claims,
                   absl::string_view signature) {
  return absl::StrCat(absl::WebSafeBase64Escape(header), ".", absl::WebSafeBase64Escape(claims),
                      ".", absl::WebSafeBase64Escape(signature));
}

TEST(JwtTest, ReadsAndVerifies) {
  const ProviderKeyPair key = NewKey();
  const std::string jwt = SignJwtForTesting(GoodParts(), key.private_key_pem);
  const absl::StatusOr<JwtClaims> claims = ParseJwt(jwt);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->key_id, "abcdefghij");
  EXPECT_EQ(claims->team_id, "teamteam22");
  EXPECT_EQ(claims->issued_at, kNow);
  EXPECT_TRUE(VerifyJwt(jwt, key.public_key_pem).ok());
}

TEST(JwtTest, RefusesAnotherKeysSignature) {
  const std::string jwt = SignJwtForTesting(GoodParts(), NewKey().private_key_pem);
  ASSERT_TRUE(ParseJwt(jwt).ok());
  ExpectBad(VerifyJwt(jwt, NewKey().public_key_pem));
  ExpectBad(VerifyJwt(jwt, "not a key"));
  ExpectBad(VerifyJwt(jwt, ""));
}

// The last digit of a signature stands for two bits of it, and four that are no part of it.
TEST(JwtTest, NoOtherTextIsTheSameCredential) {
  constexpr absl::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const ProviderKeyPair key = NewKey();
  const std::string jwt = SignJwtForTesting(GoodParts(), key.private_key_pem);
  const std::vector<std::string> parts = absl::StrSplit(jwt, '.');
  for (size_t changed = 0; changed < parts.size(); ++changed) {
    int taken = 0;
    for (const char digit : kDigits) {
      std::vector<std::string> other = parts;
      other[changed].back() = digit;
      const std::string text = absl::StrJoin(other, ".");
      taken += ParseJwt(text).ok() && VerifyJwt(text, key.public_key_pem).ok();
    }
    EXPECT_EQ(taken, 1) << "part " << changed;
  }
}

TEST(JwtTest, RefusesChangedClaims) {
  const ProviderKeyPair key = NewKey();
  const std::string jwt = SignJwtForTesting(GoodParts(), key.private_key_pem);
  JwtPartsForTesting other = GoodParts();
  other.team_id = "otherteam2";
  const std::string other_jwt = SignJwtForTesting(other, key.private_key_pem);
  const std::vector<std::string> parts = absl::StrSplit(jwt, '.');
  const std::vector<std::string> other_parts = absl::StrSplit(other_jwt, '.');
  ExpectBad(
      VerifyJwt(absl::StrCat(parts[0], ".", other_parts[1], ".", parts[2]), key.public_key_pem));
}

TEST(JwtTest, RefusesEveryOtherAlgorithm) {
  const ProviderKeyPair key = NewKey();
  JwtPartsForTesting parts = GoodParts();

  parts.algorithm = "none";
  ExpectBad(ParseJwt(SignJwtForTesting(parts, "")).status());

  // The public key as an HMAC secret: what an attacker has.
  for (const char* hmac : {"HS256", "HS384", "HS512"}) {
    parts.algorithm = hmac;
    const std::string jwt = SignJwtForTesting(parts, key.public_key_pem);
    ExpectBad(ParseJwt(jwt).status());
    ExpectBad(VerifyJwt(jwt, key.public_key_pem));
  }

  parts.algorithm = "RS256";
  const std::string rsa = SignJwtForTesting(parts, PrivatePem(EVP_RSA_gen(2048)));
  ExpectBad(ParseJwt(rsa).status());

  parts.algorithm = "ES384";
  const std::string p384 = SignJwtForTesting(parts, PrivatePem(EVP_EC_gen("P-384")));
  ExpectBad(ParseJwt(p384).status());

  ExpectBad(
      ParseJwt(Encode(R"({"alg":"es256","kid":"k"})", R"({"iss":"t","iat":1})", "x")).status());
  ExpectBad(
      ParseJwt(Encode(R"({"alg":["ES256"],"kid":"k"})", R"({"iss":"t","iat":1})", "x")).status());
}

TEST(JwtTest, AnUnsignedJwtThatSaysEs256IsNotVerified) {
  const std::string jwt =
      Encode(R"({"alg":"ES256","kid":"k"})", R"({"iss":"t","iat":1})", std::string(64, '\0'));
  ASSERT_TRUE(ParseJwt(jwt).ok());
  ExpectBad(VerifyJwt(jwt, NewKey().public_key_pem));
}

TEST(JwtTest, RefusesWhatIsMissing) {
  const std::string key = NewKey().private_key_pem;
  JwtPartsForTesting parts = GoodParts();
  parts.key_id.clear();
  ExpectBad(ParseJwt(SignJwtForTesting(parts, key)).status());
  parts = GoodParts();
  parts.team_id.clear();
  ExpectBad(ParseJwt(SignJwtForTesting(parts, key)).status());
  parts = GoodParts();
  parts.issued_at = absl::InfinitePast();
  ExpectBad(ParseJwt(SignJwtForTesting(parts, key)).status());
  parts.extra_claims_json = R"({"iat":"1767225600"})";
  ExpectBad(ParseJwt(SignJwtForTesting(parts, key)).status());
  parts.extra_claims_json = R"({"iat":null})";
  ExpectBad(ParseJwt(SignJwtForTesting(parts, key)).status());
}

// Python's time.time(), for one.
TEST(JwtTest, TakesFractionsOfASecond) {
  JwtPartsForTesting parts = GoodParts();
  parts.issued_at = absl::InfinitePast();
  parts.extra_claims_json = R"({"iat":1767225600.5})";
  const auto claims = ParseJwt(SignJwtForTesting(parts, NewKey().private_key_pem));
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->issued_at, kNow + absl::Milliseconds(500));
}

TEST(JwtTest, RefusesCriticalHeaders) {
  JwtPartsForTesting parts = GoodParts();
  parts.extra_headers_json = R"({"crit":["b64"],"b64":false})";
  ExpectBad(ParseJwt(SignJwtForTesting(parts, NewKey().private_key_pem)).status());
}

TEST(JwtTest, IgnoresOtherClaims) {
  const ProviderKeyPair key = NewKey();
  JwtPartsForTesting parts = GoodParts();
  parts.extra_claims_json = R"({"sub":"x","jti":1})";
  const std::string jwt = SignJwtForTesting(parts, key.private_key_pem);
  EXPECT_TRUE(ParseJwt(jwt).ok());
  EXPECT_TRUE(VerifyJwt(jwt, key.public_key_pem).ok());
}

TEST(JwtTest, RefusesMalformedOnes) {
  for (const char* bad :
       {"", ".", "..", "...", "a.b", "a.b.c", "aaaa.bbbb.", ".aaaa.bbbb", "aaaa..bbbb",
        "aaaa.bbbb.cccc", "aaaa.bbbb.cccc.dddd", "aa=a.bbbb.cccc", "aaaa.bb b.cccc"}) {
    ExpectBad(ParseJwt(bad).status());
  }
  ExpectBad(ParseJwt(absl::string_view("aaaa.bbbb.ccc\0", 14)).status());
  ExpectBad(ParseJwt(Encode("[]", "[]", "x")).status());
  ExpectBad(ParseJwt(Encode(R"("alg")", R"({"iss":"t","iat":1})", "x")).status());
}

TEST(JwtTest, RefusesOversizedOnes) {
  JwtPartsForTesting parts = GoodParts();
  parts.extra_claims_json = absl::StrCat(R"({"x":")", std::string(kMaxJwtBytes, 'x'), R"("})");
  const absl::Status status = ParseJwt(SignJwtForTesting(parts, NewKey().private_key_pem)).status();
  ExpectBad(status);
  EXPECT_TRUE(absl::StrContains(status.message(), "at most")) << status;
}

TEST(JwtTest, ReadsExpiryAndAudience) {
  const std::string key = NewKey().private_key_pem;
  JwtPartsForTesting parts = GoodParts();
  const auto none = ParseJwt(SignJwtForTesting(parts, key));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->expires_at.has_value());
  EXPECT_TRUE(none->audiences.empty());
  EXPECT_EQ(none->ends_at(), kNow + kMaxJwtAge);
  parts.extra_claims_json = R"({"aud":"https://push.example.com","exp":1767225660.5})";
  const auto one = ParseJwt(SignJwtForTesting(parts, key));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->audiences, std::vector<std::string>{"https://push.example.com"});
  EXPECT_EQ(one->ends_at(), kNow + absl::Milliseconds(60'500));
  parts.extra_claims_json = R"({"aud":["a","b"],"exp":9999999999})";
  const auto two = ParseJwt(SignJwtForTesting(parts, key));
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->audiences, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(two->ends_at(), kNow + kMaxJwtAge);
}

TEST(JwtTest, RefusesExpiriesAndAudiencesOfAnotherForm) {
  const std::string key = NewKey().private_key_pem;
  JwtPartsForTesting parts = GoodParts();
  for (const char* claims : {R"({"exp":"1767225660"})", R"({"exp":null})", R"({"exp":true})",
                             R"({"aud":7})", R"({"aud":[]})", R"({"aud":["a",7]})",
                             R"({"aud":{"a":"b"}})", R"({"aud":null})"}) {
    parts.extra_claims_json = claims;
    ExpectBad(ParseJwt(SignJwtForTesting(parts, key)).status());
  }
}

TEST(JwtTest, AnAudienceHasToNameThisServer) {
  const PublicUrls urls =
      *PublicUrls::Parse({"https://push.example.com", "https://old.example.com"});
  const auto check = [](std::vector<std::string> audiences, const PublicUrls& public_urls) {
    JwtClaims claims;
    claims.audiences = std::move(audiences);
    return CheckJwtAudience(claims, public_urls);
  };
  EXPECT_TRUE(check({}, urls).ok());
  EXPECT_TRUE(check({}, {}).ok());
  EXPECT_TRUE(check({"https://push.example.com"}, urls).ok());
  EXPECT_TRUE(check({"https://old.example.com/"}, urls).ok());
  EXPECT_TRUE(check({"https://elsewhere.example.com", "https://push.example.com"}, urls).ok());
  ExpectBad(check({"https://elsewhere.example.com"}, urls));
  ExpectBad(check({"push.example.com"}, urls));
  ExpectBad(check({""}, urls));
  ExpectBad(check({"https://push.example.com"}, {}));
}

JwtClaims IssuedAt(absl::Time time) {
  JwtClaims claims;
  claims.issued_at = time;
  return claims;
}

TEST(JwtTest, Age) {
  EXPECT_TRUE(CheckJwtAge(IssuedAt(kNow), kNow).ok());
  EXPECT_TRUE(CheckJwtAge(IssuedAt(kNow - kMaxJwtAge), kNow).ok());
  EXPECT_TRUE(CheckJwtAge(IssuedAt(kNow + kMaxJwtClockSkew), kNow).ok());
  const absl::Status expired = CheckJwtAge(IssuedAt(kNow - kMaxJwtAge - absl::Seconds(1)), kNow);
  EXPECT_EQ(expired.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorReason(expired), "EXPIRED_CREDENTIAL");
  ExpectBad(CheckJwtAge(IssuedAt(kNow + kMaxJwtClockSkew + absl::Seconds(1)), kNow));
  JwtClaims claims = IssuedAt(kNow);
  claims.expires_at = kNow + absl::Milliseconds(1);
  EXPECT_TRUE(CheckJwtAge(claims, kNow).ok());
  claims.expires_at = kNow;
  EXPECT_EQ(ErrorReason(CheckJwtAge(claims, kNow)), "EXPIRED_CREDENTIAL");
}

TEST(JwtTest, AbsurdTimesAreOnlyExpiredOrInTheFuture) {
  for (const char* iat : {"-9223372036854775808", "9223372036854775807", "0", "1e300", "-1e300"}) {
    const absl::StatusOr<JwtClaims> claims = ParseJwt(Encode(
        R"({"alg":"ES256","kid":"k"})", absl::StrCat(R"({"iss":"t","iat":)", iat, "}"), "x"));
    ASSERT_TRUE(claims.ok()) << claims.status();
    EXPECT_FALSE(CheckJwtAge(*claims, kNow).ok());
  }
}

std::string SignAssertion(const std::string& algorithm, const std::string& key) {
  return SignJwtForTesting(
      {.algorithm = algorithm,
       .key_id = "abcdefghij",
       .team_id = "the account",
       .issued_at = kNow,
       .extra_claims_json = absl::StrCat(R"({"aud":"the endpoint","scope":"a b","exp":)",
                                         absl::ToUnixSeconds(kNow) + 3600, "}")},
      key);
}

TEST(AssertionTest, ReadsAndVerifies) {
  const ProviderKeyPair key = *GenerateServiceAccountKeyPair();
  const std::string jwt = SignAssertion("RS256", key.private_key_pem);
  const absl::StatusOr<AssertionClaims> claims = ParseAssertion(jwt);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->key_id, "abcdefghij");
  EXPECT_EQ(claims->issuer, "the account");
  EXPECT_EQ(claims->audience, "the endpoint");
  EXPECT_EQ(claims->scope, "a b");
  EXPECT_EQ(claims->issued_at, kNow);
  EXPECT_EQ(claims->expires_at, kNow + absl::Hours(1));
  EXPECT_TRUE(CheckAssertionTimes(*claims, kNow).ok());
  EXPECT_TRUE(VerifyAssertion(jwt, key.public_key_pem).ok());
  ExpectBad(VerifyAssertion(jwt, GenerateServiceAccountKeyPair()->public_key_pem));
}

TEST(AssertionTest, EachAlgorithmHasItsOwnKeysAndItsOwnParser) {
  const ProviderKeyPair rsa = *GenerateServiceAccountKeyPair();
  const ProviderKeyPair p256 = NewKey();
  const std::string rs256 = SignAssertion("RS256", rsa.private_key_pem);
  const std::string es256 = SignAssertion("ES256", p256.private_key_pem);
  ExpectBad(ParseJwt(rs256).status());
  ExpectBad(ParseAssertion(es256).status());
  ExpectBad(ParseAssertion(SignAssertion("RS384", rsa.private_key_pem)).status());
  ExpectBad(ParseAssertion(SignAssertion("HS256", rsa.public_key_pem)).status());
  ExpectBad(ParseAssertion(SignAssertion("none", "")).status());
  ExpectBad(VerifyAssertion(rs256, p256.public_key_pem));
  ExpectBad(VerifyAssertion(es256, p256.public_key_pem));
  ExpectBad(VerifyJwt(rs256, rsa.public_key_pem));
  ExpectBad(VerifyJwt(es256, rsa.public_key_pem));
}

TEST(AssertionTest, LivesForAnHourAtMost) {
  const auto check = [](absl::Duration issued, absl::Duration expires) {
    return CheckAssertionTimes({.issued_at = kNow + issued, .expires_at = kNow + expires}, kNow)
        .ok();
  };
  EXPECT_TRUE(check(absl::ZeroDuration(), absl::Hours(1)));
  EXPECT_TRUE(check(-absl::Minutes(59), absl::Minutes(1)));
  EXPECT_TRUE(check(kMaxJwtClockSkew, absl::Hours(1)));
  EXPECT_FALSE(check(kMaxJwtClockSkew + absl::Seconds(1), absl::Hours(1)));
  EXPECT_FALSE(check(absl::ZeroDuration(), absl::Hours(1) + absl::Seconds(1)));
  EXPECT_FALSE(check(-absl::Hours(1), absl::ZeroDuration()));
  EXPECT_FALSE(check(absl::ZeroDuration(), -absl::Seconds(1)));
  EXPECT_FALSE(check(-absl::InfiniteDuration(), absl::InfiniteDuration()));
  EXPECT_FALSE(check(absl::InfiniteDuration(), absl::InfiniteDuration()));
}

}  // namespace
}  // namespace bellwire::gateway
