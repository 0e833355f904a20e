#include "gateway/auth/service_account.h"

#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(ServiceAccountTest, TheNameTellsTheKeyAndTheTeam) {
  const ServiceAccount account{"abcdefghij", "teamteam22"};
  const std::string email = ServiceAccountEmail(account);
  EXPECT_EQ(email, "abcdefghij@teamteam22.bellwire.internal");
  EXPECT_EQ(ParseServiceAccountEmail(email), account);
  for (const char* other :
       {"", "@", "abcdefghij@.bellwire.internal", "@teamteam22.bellwire.internal",
        "abcdefghij@bellwire.internal", "abcdefghij.bellwire.internal",
        "abcdefghij@teamteam22.bellwire.internal.example.com",
        "ABCDEFGHIJ@teamteam22.bellwire.internal", "a/b@teamteam22.bellwire.internal",
        "x@abcdefghij@teamteam22.bellwire.internal",
        "firebase-adminsdk@project.iam.gserviceaccount.com"}) {
    EXPECT_EQ(ParseServiceAccountEmail(other), std::nullopt) << other;
  }
}

TEST(ServiceAccountTest, TheAudienceIsThisServersTokenEndpointOrGoogles) {
  const PublicUrls urls =
      *PublicUrls::Parse({"https://push.example.com", "https://old.example.com:8443"});
  for (const char* good :
       {"https://push.example.com/oauth2/token", "https://push.example.com/token",
        "https://PUSH.example.com:443/oauth2/token", "https://old.example.com:8443/oauth2/token",
        "https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token"}) {
    EXPECT_TRUE(IsTokenAudience(good, urls)) << good;
  }
  for (const char* bad :
       {"", "/oauth2/token", "https://push.example.com", "https://push.example.com/",
        "https://push.example.com/oauth2/token/", "https://push.example.com/x/oauth2/token",
        "https://other.example.com/oauth2/token", "https://old.example.com/oauth2/token",
        "https://oauth2.googleapis.com/token?x", "http://push.example.com/oauth2/token"}) {
    EXPECT_FALSE(IsTokenAudience(bad, urls)) << bad;
  }
}

}  // namespace
}  // namespace bellwire::gateway
