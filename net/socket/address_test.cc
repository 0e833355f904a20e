#include "net/socket/address.h"

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

TEST(AddressTest, HostAndPort) {
  const auto name = ParseHostPort("push.example.com:7444");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->host, "push.example.com");
  EXPECT_EQ(name->port, 7444);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseHostPort(":80")->host, "");
}

TEST(AddressTest, Malformed) {
  for (const char* bad : {"", "host", "host:", ":", "host:x", "host:65536", "host:-1", "::1:80",
                          "[::1]", "[::1:80", "a]:1"}) {
    EXPECT_FALSE(ParseHostPort(bad).ok()) << bad;
  }
}

TEST(AddressTest, NumbersRoundTrip) {
  for (const char* text : {"127.0.0.1:1", "[::1]:65535"}) {
    const auto parts = ParseHostPort(text);
    ASSERT_TRUE(parts.ok());
    const auto address = NumericAddress(parts->host, parts->port);
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(FormatAddress(*address), text);
  }
  EXPECT_FALSE(NumericAddress("localhost", 1).has_value());
}

}  // namespace
}  // namespace bellwire::net
