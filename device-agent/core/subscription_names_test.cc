#include "device-agent/core/subscription_names.h"

#include <string>

#include "absl/strings/escaping.h"
#include "device-agent/apps/subscription.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

const SubscriptionNames kNames(std::string(32, 's'));

TEST(SubscriptionNamesTest, FitInTheirFields) {
  EXPECT_EQ(kNames.InstanceOf(SubscriptionKey(1000, std::string(256, 'x'))).size(), 32u);
  EXPECT_EQ(kNames.OwnerOf(1000, std::string(256, 'x')).size(), 16u);
}

TEST(SubscriptionNamesTest, TellUsersNamesAndPhonesApart) {
  const std::string mail = kNames.InstanceOf(SubscriptionKey(1000, "mail"));
  EXPECT_EQ(mail, kNames.InstanceOf(SubscriptionKey(1000, "mail")));
  EXPECT_NE(mail, kNames.InstanceOf(SubscriptionKey(1001, "mail")));
  EXPECT_NE(mail, kNames.InstanceOf(SubscriptionKey(1000, "chat")));
  EXPECT_NE(mail, SubscriptionNames(std::string(32, 't')).InstanceOf("sub:1000:mail"));
  EXPECT_NE(kNames.OwnerOf(1000, "firefox"), kNames.OwnerOf(1001, "firefox"));
  EXPECT_NE(kNames.OwnerOf(100, "0:x"), kNames.OwnerOf(1000, ":x"));
}

// Endpoints live as long as these stay the same.
// printf instance:sub:1000:mail | openssl dgst -sha256 -hmac ssssssssssssssssssssssssssssssss
TEST(SubscriptionNamesTest, NeverChange) {
  EXPECT_EQ(absl::BytesToHexString(kNames.InstanceOf("sub:1000:mail")),
            "f2ae9e259baa04619e88739dd85d20885e48dce26156c9a48b50ae6d11cf2753");
  EXPECT_EQ(absl::BytesToHexString(kNames.OwnerOf(1000, "firefox")),
            "ced9f414b3d2f72369c6423523b43e79");
}

TEST(SubscriptionKeyTest, CanBeTakenApart) {
  const std::string key = SubscriptionKey(1000, "a:b");
  EXPECT_EQ(key, "sub:1000:a:b");
  EXPECT_TRUE(IsSubscriptionKey(key));
  EXPECT_FALSE(IsSubscriptionKey("sub.example.app"));
  EXPECT_EQ(InstanceOf(key), "a:b");
  EXPECT_EQ(CompanionKeyOf(key), SubscriptionKey(1000, ""));
  EXPECT_EQ(CompanionKeyOf(CompanionKeyOf(key)), CompanionKeyOf(key));
}

}  // namespace
}  // namespace bellwire::agent
