#include "net/peers/cidr.h"

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

bool Contains(const CidrList& list, const char* address) {
  return list.Contains(*NumericAddress(address, 1234));
}

TEST(CidrList, ContainsItsRanges) {
  const CidrList list = *CidrList::Parse({"10.0.0.0/8", "192.0.2.1", "2001:db8::/33", "::1"});
  for (const char* in :
       {"10.0.0.0", "10.255.255.255", "192.0.2.1", "2001:db8:7fff::1", "::1", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(Contains(list, in)) << in;
  }
  for (const char* out :
       {"11.0.0.0", "9.255.255.255", "192.0.2.2", "2001:db8:8000::1", "::2", "::"}) {
    EXPECT_FALSE(Contains(list, out)) << out;
  }
  EXPECT_TRUE(Contains(*CidrList::Parse({"0.0.0.0/0"}), "203.0.113.9"));
  EXPECT_FALSE(Contains(*CidrList::Parse({"0.0.0.0/0"}), "2001:db8::1"));
  EXPECT_TRUE(Contains(*CidrList::Parse({"::/0"}), "2001:db8::1"));
  EXPECT_FALSE(Contains(CidrList(), "127.0.0.1"));
  EXPECT_FALSE(list.Contains(SocketAddress()));
}

TEST(CidrList, RefusesWhatIsNoRange) {
  for (const char* bad : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                          "10.0.0.1/8", "::/129", "2001:db8::1/64", "localhost", "10.0.0/8"}) {
    EXPECT_EQ(ErrorReason(CidrList::Parse({"127.0.0.1", bad}).status()), "BAD_CIDR") << bad;
  }
}

}  // namespace
}  // namespace bellwire::net
