#include "common/host_port.h"

#include "absl/strings/match.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(HostPortTest, TakesNamesAndAddresses) {
  EXPECT_EQ(ParseHostPort("push.example.com:7444")->host, "push.example.com");
  EXPECT_EQ(ParseHostPort("push.example.com:7444")->port, 7444);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseHostPort(":65535")->host, "");
  EXPECT_EQ(ParseHostPort(":65535")->port, 65535);
}

TEST(HostPortTest, SaysWhatIsWrong) {
  for (const char* bad : {"host:99999", "host:65536", "host:-1", "host:+80", "host: 80", "host:8 0",
                          "host:http", "host:", "host:18446744073709551617"}) {
    const absl::Status status = ParseHostPort(bad).status();
    EXPECT_EQ(ErrorReason(status), "BAD_ADDRESS") << bad;
    EXPECT_TRUE(absl::StrContains(status.message(), "a number from 0 to 65535")) << status;
  }
  EXPECT_TRUE(absl::StrContains(ParseHostPort("host").status().message(), "names no port"));
  EXPECT_TRUE(absl::StrContains(ParseHostPort("::1:80").status().message(), "needs brackets"));
}

}  // namespace
}  // namespace bellwire
