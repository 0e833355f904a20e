#include "cli/web_push/vapid_token.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base64.h"
#include "crypto/encryption/aes128gcm.h"
#include "crypto/p256.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::cli {
namespace {

// The server's own reader (gateway/doors/webpush/vapid_test.cc) is the other half: what this makes
// is taken by it in tests/doors/firefox.
TEST(VapidTokenTest, SaysWhoWhomAndUntilWhen) {
  const auto key = GenerateP256Key();
  ASSERT_TRUE(key.ok()) << key.status();
  const auto field =
      SignVapid({.private_key_pem = PrivateKeyPem(key->get()), .subject = "mailto:a@example.com"},
                "https://push.example.com", absl::FromUnixSeconds(1'000'000));
  ASSERT_TRUE(field.ok()) << field.status();
  absl::string_view rest = *field;
  ASSERT_TRUE(absl::ConsumePrefix(&rest, "vapid t="));
  const std::vector<std::string> parts = absl::StrSplit(rest, ", k=");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(DecodeBase64Url(parts[1]), PointOf(key->get()));
  const std::vector<std::string> jwt = absl::StrSplit(parts[0], '.');
  ASSERT_EQ(jwt.size(), 3u);
  const auto head = nlohmann::json::parse(*DecodeBase64Url(jwt[0]));
  EXPECT_EQ(head.at("alg"), "ES256");
  const auto claims = nlohmann::json::parse(*DecodeBase64Url(jwt[1]));
  EXPECT_EQ(claims.at("aud"), "https://push.example.com");
  EXPECT_EQ(claims.at("sub"), "mailto:a@example.com");
  EXPECT_EQ(claims.at("exp"), 1'000'000 + 12 * 3600);
  EXPECT_EQ(DecodeBase64Url(jwt[2])->size(), 64u);
}

TEST(VapidTokenTest, AnotherKeyIsRefused) {
  const auto field = SignVapid({.private_key_pem = "no key", .subject = "mailto:a@example.com"},
                               "https://push.example.com", absl::UnixEpoch());
  EXPECT_TRUE(absl::IsInvalidArgument(field.status())) << field.status();
}

}  // namespace
}  // namespace bellwire::cli
