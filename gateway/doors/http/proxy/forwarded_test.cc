#include "gateway/doors/http/proxy/forwarded.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

std::string ClientOf(const HeaderList& headers) {
  static const net::CidrList proxies = *net::CidrList::Parse({"10.0.0.0/8", "::1"});
  const auto client = ForwardedClient(headers, proxies);
  return client.has_value() ? net::FormatAddress(*client) : "";
}

TEST(Forwarded, TakesTheLastAddressThatIsNoProxy) {
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "192.0.2.1"}}), "192.0.2.1:0");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "1.1.1.1, 192.0.2.1,10.1.1.1, ::1"}}), "192.0.2.1:0");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "2001:db8::7"}}), "[2001:db8::7]:0");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "192.0.2.1:4711"}}), "192.0.2.1:4711");
  // A client that writes the field itself stands before what the proxy adds.
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "1.1.1.1"}, {"x-forwarded-for", "192.0.2.1"}}),
            "192.0.2.1:0");
}

TEST(Forwarded, UnderstandsTheStandardField) {
  EXPECT_EQ(ClientOf({{"forwarded", "for=192.0.2.60;proto=http;by=10.0.0.1"}}), "192.0.2.60:0");
  EXPECT_EQ(ClientOf({{"forwarded", "for=1.1.1.1, For=\"[2001:db8:cafe::17]:4711\""}}),
            "[2001:db8:cafe::17]:4711");
  EXPECT_EQ(ClientOf({{"forwarded", "for=\"a,b\", proto=https;for=192.0.2.1"}}), "192.0.2.1:0");
}

TEST(Forwarded, IsWrittenByTheClientIfItContradictsItself) {
  const Header standard = {"forwarded", "for=192.0.2.1:80"};
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "1.1.1.1, 192.0.2.1"}, standard}), "192.0.2.1:80");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "1.1.1.1"}, standard}), "");
  EXPECT_EQ(ClientOf({standard, {"x-forwarded-for", "unknown"}}), "");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "192.0.2.1"}, {"forwarded", "proto=http"}}), "");
}

TEST(Forwarded, IsNobodyWhereItCannotTell) {
  EXPECT_EQ(ClientOf({}), "");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", ""}}), "");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "192.0.2.1, unknown"}}), "");
  EXPECT_EQ(ClientOf({{"x-forwarded-for", "10.0.0.1"}}), "");
  EXPECT_EQ(ClientOf({{"forwarded", "for=_hidden"}}), "");
  EXPECT_EQ(ClientOf({{"forwarded", "proto=http"}}), "");
  EXPECT_EQ(ClientOf({{"forwarded", "for=\"192.0.2.1"}}), "");
}

}  // namespace
}  // namespace bellwire::http
