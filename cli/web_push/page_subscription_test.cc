#include "cli/web_push/page_subscription.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base64.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

// The receiver of RFC 8291, appendix A.
constexpr char kKey[] =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
constexpr char kAuth[] = "BTBZMqHH6r4Tts7J_aSIgg";

std::string Json(const std::string& endpoint, const std::string& key = kKey,
                 const std::string& auth = kAuth) {
  return absl::StrCat(R"({"endpoint":")", endpoint, R"(","expirationTime":null,"keys":{"auth":")",
                      auth, R"(","p256dh":")", key, R"("}})");
}

TEST(PageSubscriptionTest, ReadsWhatABrowserWrites) {
  const auto read = ParsePageSubscription(Json("https://localhost:7443/wpush/ab12?x=1#part"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->origin, "https://localhost:7443");
  EXPECT_EQ(read->host, "localhost");
  EXPECT_EQ(read->port, "7443");
  EXPECT_EQ(read->target, "/wpush/ab12?x=1");
  EXPECT_EQ(read->recipient.public_key, *DecodeBase64Url(kKey));
  EXPECT_EQ(read->recipient.auth_secret, *DecodeBase64Url(kAuth));
}

TEST(PageSubscriptionTest, TheUsualPortIsNotPartOfTheOrigin) {
  for (const char* endpoint : {"https://push.example.com/p", "https://push.example.com:443/p"}) {
    const auto read = ParsePageSubscription(Json(endpoint));
    ASSERT_TRUE(read.ok()) << endpoint << read.status();
    EXPECT_EQ(read->origin, "https://push.example.com");
    EXPECT_EQ(read->port, "443");
  }
  const auto six = ParsePageSubscription(Json("https://[::1]/p"));
  ASSERT_TRUE(six.ok()) << six.status();
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->origin, "https://[::1]");
}

TEST(PageSubscriptionTest, AnythingElseIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"endpoint":1})"),
        Json("http://localhost/p"), Json("https://localhost"), Json("https:///p"),
        Json("https://user@localhost/p"), Json("https://localhost/a b"),
        Json("https://localhost/\\r\\nX: y"), Json("https://localhost:99999/p"),
        Json("https://localhost/p", "AAAA"), Json("https://localhost/p", kKey, "AAAA"),
        absl::StrReplaceAll(Json("https://localhost/p"), {{"\"keys\"", "\"nokeys\""}}),
        Json(absl::StrCat("https://localhost/", std::string(kMaxSubscriptionBytes, 'a')))}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParsePageSubscription(text).status())) << text;
  }
}

}  // namespace
}  // namespace bellwire::cli
