#include "gateway/doors/webpush/vapid.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "crypto/p256.h"
#include "gtest/gtest.h"
#include "openssl/ecdsa.h"
#include "openssl/evp.h"

namespace bellwire::webpush {
namespace {

// RFC 8292, 2.4.
constexpr char kRfcJwt[] =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0"
    "NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCG"
    "SK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
constexpr char kRfcKey[] =
    "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
constexpr int64_t kRfcExp = 1453523768;

std::string Unescaped(absl::string_view text) {
  std::string bytes;
  EXPECT_TRUE(absl::WebSafeBase64Unescape(text, &bytes));
  return bytes;
}

std::string Escaped(absl::string_view bytes) {
  std::string text;
  absl::WebSafeBase64Escape(bytes, &text);
  return text;
}

// A key pair, and JWTs by it.
class Signer {
 public:
  Signer() : key_(*GenerateP256Key()) {}
  std::string public_key() const { return PublicKeyDer(key_.get()).substr(26); }
  std::string Jwt(absl::string_view claims,
                  absl::string_view header = R"({"typ":"JWT","alg":"ES256"})") const {
    const std::string text = absl::StrCat(Escaped(header), ".", Escaped(claims));
    const EvpMdCtxPtr context(EVP_MD_CTX_new());
    size_t size = 128;
    std::string der(size, '\0');
    EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()), 1);
    EXPECT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &size,
                             reinterpret_cast<const unsigned char*>(text.data()), text.size()),
              1);
    const unsigned char* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* const signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
    std::string raw(64, '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + 32, 32);
    ECDSA_SIG_free(signature);
    return absl::StrCat(text, ".", Escaped(raw));
  }

 private:
  const EvpPkeyPtr key_;
};

class VapidTest : public ::testing::Test {
 protected:
  VapidTest()
      : verifier_(*PublicUrls::Parse({"https://push.example.com", "https://old.example.com:8443"}),
                  &clock_) {}

  int64_t Now() { return absl::ToUnixSeconds(clock_.WallNow()); }
  std::string Claims(absl::string_view aud, int64_t lasts_s) {
    return absl::StrCat(R"({"aud":")", aud, R"(","exp":)", Now() + lasts_s,
                        R"(,"sub":"mailto:a@example.com"})");
  }
  absl::Status Verify(const std::string& jwt) {
    return verifier_.Verify({.jwt = jwt, .key = signer_.public_key()});
  }

  SimulatedClock clock_;
  const Signer signer_;
  VapidVerifier verifier_;
};

TEST_F(VapidTest, TheExampleOfTheRfc) {
  const auto credential =
      ParseVapid({{"authorization", absl::StrCat("vapid   t=", kRfcJwt, ",   k=", kRfcKey)}});
  ASSERT_TRUE(credential.ok()) << credential.status();
  ASSERT_TRUE(credential->has_value());
  EXPECT_EQ((*credential)->key, Unescaped(kRfcKey));
  const auto claims = ParseVapidJwt((*credential)->jwt);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->audiences, (std::vector<std::string>{"https://push.example.net"}));
  EXPECT_EQ(absl::ToUnixSeconds(claims->expires_at), kRfcExp);
  EXPECT_TRUE(CheckVapidSignature((*credential)->jwt, (*credential)->key).ok());
  std::string forged = kRfcJwt;
  forged[forged.find('.') + 2] ^= 1;
  EXPECT_FALSE(CheckVapidSignature(forged, (*credential)->key).ok());
  EXPECT_FALSE(CheckVapidSignature(kRfcJwt, Signer().public_key()).ok());
  EXPECT_FALSE(CheckVapidSignature(kRfcJwt, "\x04" + std::string(64, '\1')).ok());
}

TEST_F(VapidTest, BothSpellingsAndThoseOfLibraries) {
  const auto key_of = [](const http::HeaderList& headers) {
    const auto credential = ParseVapid(headers);
    EXPECT_TRUE(credential.ok()) << credential.status();
    return credential.ok() && credential->has_value() ? (*credential)->key : "";
  };
  const std::string key = Unescaped(kRfcKey);
  EXPECT_EQ(key_of({{"authorization", absl::StrCat("vapid t=a.b.c, k=", kRfcKey)}}), key);
  EXPECT_EQ(key_of({{"authorization", absl::StrCat("vapid t=a.b.c,k=", kRfcKey)}}), key);
  EXPECT_EQ(key_of({{"authorization", absl::StrCat("VAPID k=\"", kRfcKey, "=\", t=\"a.b.c\"")}}),
            key);
  std::string standard;
  absl::Base64Escape(key, &standard);
  EXPECT_EQ(key_of({{"authorization", absl::StrCat("vapid t=a.b.c, k=", standard)}}), key);
  EXPECT_EQ(key_of({{"authorization", "WebPush a.b.c"},
                    {"crypto-key", absl::StrCat("dh=BA; p256ecdsa=", kRfcKey)}}),
            key);
  EXPECT_EQ(key_of({{"authorization", "Bearer a.b.c"},
                    {"crypto-key", "dh=BA"},
                    {"crypto-key", absl::StrCat("keyid=a;p256ecdsa=", kRfcKey)}}),
            key);
}

// Bits that belong to no byte (RFC 4648, 3.5) would let one JWT be many texts, each of which is
// verified and remembered for itself.
TEST_F(VapidTest, AJwtIsOneText) {
  const std::string jwt = kRfcJwt;
  ASSERT_TRUE(ParseVapidJwt(jwt).ok());
  ASSERT_EQ(jwt.back(), 'A');
  for (char last = 'B'; last <= 'P'; ++last) {
    std::string other = jwt;
    other.back() = last;
    EXPECT_EQ(ErrorReason(ParseVapidJwt(other).status()), "BAD_CREDENTIAL") << last;
    EXPECT_FALSE(CheckVapidSignature(other, Unescaped(kRfcKey)).ok()) << last;
  }
  for (const absl::string_view more : {"=", "==", " ", "\v"}) {
    EXPECT_FALSE(ParseVapidJwt(absl::StrCat(jwt, more)).ok()) << more;
    EXPECT_FALSE(ParseVapidJwt(absl::StrCat(more, jwt)).ok()) << more;
  }
  // Keys too.
  std::string key = kRfcKey;
  ASSERT_EQ(key.back(), 's');
  for (const char last : {'t', 'u', 'v'}) {
    key.back() = last;
    EXPECT_FALSE(ParseVapid({{"authorization", absl::StrCat("vapid t=a.b.c, k=", key)}}).ok());
  }
}

TEST_F(VapidTest, WhatIsNoCredential) {
  EXPECT_FALSE(ParseVapid({{"ttl", "0"}})->has_value());
  for (const char* authorization :
       {"", "vapid", "vapid t=a.b.c", "vapid k=BA", "vapid t=a.b.c, k=BA", "Basic dTpw",
        "WebPush a.b.c", "vapid t=a.b.c, k=????"}) {
    const auto credential = ParseVapid({{"authorization", authorization}});
    EXPECT_EQ(ErrorReason(credential.status()), "BAD_CREDENTIAL") << authorization;
  }
  // Compressed.
  EXPECT_FALSE(ParseVapid({{"authorization", absl::StrCat("vapid t=a.b.c, k=",
                                                          Escaped("\x02" + std::string(32, 'x')))}})
                   .ok());
}

TEST_F(VapidTest, AGoodOneIsGoodForEachOfOurNames) {
  EXPECT_TRUE(Verify(signer_.Jwt(Claims("https://push.example.com", 3600))).ok());
  EXPECT_TRUE(Verify(signer_.Jwt(Claims("https://push.example.com:443", 3600))).ok());
  EXPECT_TRUE(Verify(signer_.Jwt(Claims("https://old.example.com:8443", 3600))).ok());
  EXPECT_TRUE(Verify(signer_.Jwt(absl::StrCat(
                         R"({"aud":["https://x.example","https://push.example.com"],"exp":)",
                         Now() + 60, ".5}")))
                  .ok());
  for (const char* other :
       {"https://old.example.com", "https://push.example.net", "", "push.example.com",
        "https://push.example.com:8443", "http://push.example.com"}) {
    EXPECT_EQ(ErrorReason(Verify(signer_.Jwt(Claims(other, 3600)))), "BAD_CREDENTIAL") << other;
  }
}

TEST_F(VapidTest, ADayIsTheLongestLife) {
  EXPECT_TRUE(Verify(signer_.Jwt(Claims("https://push.example.com", 24 * 3600))).ok());
  EXPECT_EQ(ErrorReason(Verify(signer_.Jwt(Claims("https://push.example.com", 25 * 3600)))),
            "BAD_CREDENTIAL");
  EXPECT_EQ(ErrorReason(Verify(signer_.Jwt(Claims("https://push.example.com", 0)))),
            "EXPIRED_CREDENTIAL");
  EXPECT_EQ(ErrorReason(Verify(signer_.Jwt(R"({"aud":"https://push.example.com","exp":1e300})"))),
            "BAD_CREDENTIAL");
}

TEST_F(VapidTest, OnesThatAreRememberedEndInTime) {
  const std::string jwt = signer_.Jwt(Claims("https://push.example.com", 60));
  EXPECT_TRUE(Verify(jwt).ok());
  EXPECT_TRUE(Verify(jwt).ok());
  // By another's key it is another credential.
  EXPECT_FALSE(verifier_.Verify({.jwt = jwt, .key = Signer().public_key()}).ok());
  clock_.Advance(absl::Seconds(61));
  EXPECT_EQ(ErrorReason(Verify(jwt)), "EXPIRED_CREDENTIAL");
}

TEST_F(VapidTest, WhatAJwtMustBe) {
  const std::string claims = Claims("https://push.example.com", 60);
  for (const char* header : {R"({"alg":"HS256"})", R"({"alg":"none"})", R"({"typ":"JWT"})",
                             R"({"alg":"ES256","crit":["b64"]})", "[]", "not json", ""}) {
    EXPECT_EQ(ErrorReason(Verify(signer_.Jwt(claims, header))), "BAD_CREDENTIAL") << header;
  }
  for (const char* bad : {"{}", "[]", R"({"aud":"https://push.example.com"})",
                          R"({"aud":"https://push.example.com","exp":"60"})",
                          R"({"aud":7,"exp":60})", R"({"exp":60})"}) {
    EXPECT_EQ(ErrorReason(Verify(signer_.Jwt(bad))), "BAD_CREDENTIAL") << bad;
  }
  const std::string good = signer_.Jwt(claims);
  for (const std::string& bad : {std::string(), std::string("a.b"), good + ".c", good + "=",
                                 good.substr(0, good.size() - 2), std::string(5000, 'a')}) {
    EXPECT_EQ(ErrorReason(Verify(bad)), "BAD_CREDENTIAL") << bad;
  }
}

}  // namespace
}  // namespace bellwire::webpush
