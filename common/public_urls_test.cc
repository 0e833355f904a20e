#include "common/public_urls.h"

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(PublicUrls, NormalisesOrigins) {
  EXPECT_EQ(PublicUrls::Parse({"https://Push.Example.com/"})->first(), "https://push.example.com");
  EXPECT_EQ(PublicUrls::Parse({"https://push.example.com:443"})->first(),
            "https://push.example.com");
  EXPECT_EQ(PublicUrls::Parse({"https://push.example.com:8443"})->first(),
            "https://push.example.com:8443");
  EXPECT_EQ(PublicUrls::Parse({"https://[2001:DB8::1]:8443"})->first(),
            "https://[2001:db8::1]:8443");
  EXPECT_EQ(PublicUrls::Parse({"http://127.0.0.1:8080"})->first(), "http://127.0.0.1:8080");
  EXPECT_EQ(PublicUrls::Parse({"http://[::1]:80"})->first(), "http://[::1]");
  EXPECT_TRUE(PublicUrls::Parse({})->empty());
}

TEST(PublicUrls, AllAreAudiences) {
  const PublicUrls urls =
      *PublicUrls::Parse({"https://new.example.com", "https://old.example.com:8443"});
  EXPECT_EQ(urls.first(), "https://new.example.com");
  for (const char* good : {"https://new.example.com", "https://new.example.com/",
                           "https://NEW.example.com:443", "https://old.example.com:8443"}) {
    EXPECT_TRUE(urls.Contains(good)) << good;
  }
  for (const char* bad : {"https://old.example.com", "http://new.example.com", "new.example.com",
                          "https://new.example.com/path", "https://new.example.com//", "",
                          "https://new.example.com:0443x", "https://new.example.com.evil.org"}) {
    EXPECT_FALSE(urls.Contains(bad)) << bad;
  }
}

TEST(PublicUrls, RefusesWhatIsNoOrigin) {
  for (const char* bad :
       {"", "push.example.com", "https://", "https:///", "https://push.example.com/path",
        "https://push.example.com?a", "https://user@push.example.com", "https://push.example.com:",
        "https://push.example.com:0", "https://push.example.com:65536", "https://push example.com",
        "ftp://push.example.com", "http://push.example.com", "https://[::1", "https://[]",
        "https://:443", "https://a:1:2"}) {
    EXPECT_EQ(ErrorReason(PublicUrls::Parse({"https://a.example", bad}).status()),
              "BAD_PUBLIC_URL")
        << bad;
  }
}

}  // namespace
}  // namespace bellwire
