#include "device-agent/network/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Kind = NetworkFact::Kind;

template <typename T>
std::string Raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string Padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) & ~size_t{3}, '\0');
  return bytes;
}

std::string Attribute(uint16_t type, const std::string& value) {
  return Padded(Raw(rtattr{static_cast<uint16_t>(sizeof(rtattr) + value.size()), type}) + value);
}

std::string Message(uint16_t type, const std::string& body, uint16_t flags = 0) {
  nlmsghdr header = {};
  header.nlmsg_len = static_cast<uint32_t>(sizeof(header) + body.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  return Padded(Raw(header) + body);
}

std::string Host(int family, const char* text) {
  char bytes[sizeof(in6_addr)];
  EXPECT_EQ(inet_pton(family, text, bytes), 1);
  return std::string(bytes, family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr));
}

std::string Link(uint16_t type, int index, unsigned flags) {
  ifinfomsg link = {};
  link.ifi_index = index;
  link.ifi_flags = flags;
  return Message(type, Raw(link));
}

std::string Address(uint16_t type, int index, int family, const char* text, uint32_t flags = 0,
                    uint8_t scope = RT_SCOPE_UNIVERSE) {
  ifaddrmsg address = {};
  address.ifa_family = static_cast<uint8_t>(family);
  address.ifa_index = static_cast<uint32_t>(index);
  address.ifa_scope = scope;
  return Message(type, Raw(address) + Attribute(IFA_ADDRESS, Host(family, text)) +
                           Attribute(IFA_FLAGS, Raw(flags)));
}

std::string Route(uint16_t type, int index, const char* gateway, uint32_t metric,
                  unsigned flags = 0, uint8_t prefix = 0) {
  rtmsg route = {};
  route.rtm_family = AF_INET;
  route.rtm_dst_len = prefix;
  route.rtm_type = RTN_UNICAST;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_flags = flags;
  return Message(type, Raw(route) + Attribute(RTA_OIF, Raw(uint32_t(index))) +
                           Attribute(RTA_GATEWAY, Host(AF_INET, gateway)) +
                           Attribute(RTA_PRIORITY, Raw(metric)));
}

std::vector<NetworkNews> News(const std::string& bytes) { return ParseNetworkDatagram(bytes).news; }

TEST(RtnetlinkTest, ALinkIsOneThatIsUpAndHasACarrier) {
  const NetworkFact link{.kind = Kind::kLink, .interface = 3};
  EXPECT_EQ(News(Link(RTM_NEWLINK, 3, IFF_UP | IFF_RUNNING)),
            std::vector<NetworkNews>({{link, true}}));
  EXPECT_EQ(News(Link(RTM_NEWLINK, 3, IFF_UP)), std::vector<NetworkNews>({{link, false}}));
  EXPECT_EQ(News(Link(RTM_DELLINK, 3, IFF_UP | IFF_RUNNING)),
            std::vector<NetworkNews>({{link, false}}));
}

TEST(RtnetlinkTest, Addresses) {
  const NetworkFact v4{Kind::kAddress, 2, AF_INET, "192.0.2.7"};
  const NetworkFact v6{Kind::kAddress, 2, AF_INET6, "2001:db8::7"};
  EXPECT_EQ(News(Address(RTM_NEWADDR, 2, AF_INET, "192.0.2.7") +
                 Address(RTM_NEWADDR, 2, AF_INET6, "2001:db8::7")),
            std::vector<NetworkNews>({{v4, true}, {v6, true}}));
  EXPECT_EQ(News(Address(RTM_DELADDR, 2, AF_INET, "192.0.2.7")),
            std::vector<NetworkNews>({{v4, false}}));
  EXPECT_EQ(News(Address(RTM_NEWADDR, 2, AF_INET6, "2001:db8::7", IFA_F_TENTATIVE)),
            std::vector<NetworkNews>({{v6, false}}))
      << "not before duplicates are excluded";
  EXPECT_EQ(News(Address(RTM_NEWADDR, 2, AF_INET6, "fe80::1", 0, RT_SCOPE_LINK)),
            std::vector<NetworkNews>());
}

TEST(RtnetlinkTest, DefaultRoutesOnly) {
  const NetworkFact route{Kind::kRoute, 2, AF_INET, "192.0.2.1", 600, RT_TABLE_MAIN};
  EXPECT_EQ(News(Route(RTM_NEWROUTE, 2, "192.0.2.1", 600)),
            std::vector<NetworkNews>({{route, true}}));
  EXPECT_EQ(News(Route(RTM_DELROUTE, 2, "192.0.2.1", 600)),
            std::vector<NetworkNews>({{route, false}}));
  EXPECT_EQ(News(Route(RTM_NEWROUTE, 2, "192.0.2.1", 600, RTNH_F_LINKDOWN)),
            std::vector<NetworkNews>({{route, false}}));
  EXPECT_EQ(News(Route(RTM_NEWROUTE, 2, "192.0.2.1", 600, 0, /*prefix=*/24)),
            std::vector<NetworkNews>());
}

TEST(RtnetlinkTest, TheEndAndTheFailureOfAList) {
  EXPECT_FALSE(ParseNetworkDatagram(Link(RTM_NEWLINK, 1, 0)).done);
  EXPECT_TRUE(ParseNetworkDatagram(Message(NLMSG_DONE, "1234")).done);
  EXPECT_TRUE(ParseNetworkDatagram(Message(NLMSG_ERROR, std::string(20, '\0'))).failed);
  EXPECT_TRUE(ParseNetworkDatagram(Message(NLMSG_DONE, "1234", NLM_F_DUMP_INTR)).failed);
}

TEST(RtnetlinkTest, WhatIsNoMessageEndsIt) {
  const std::string good = Link(RTM_NEWLINK, 3, 0);
  EXPECT_EQ(News(good + "garbage").size(), 1u);
  EXPECT_TRUE(ParseNetworkDatagram(good + "garbage").failed);
  for (size_t size = 1; size < good.size(); ++size) {
    EXPECT_TRUE(ParseNetworkDatagram(good.substr(0, size)).failed);
  }
  // An attribute that claims more than there is.
  rtattr attribute{1000, IFA_ADDRESS};
  ifaddrmsg address = {};
  address.ifa_family = AF_INET;
  EXPECT_TRUE(News(Message(RTM_NEWADDR, Raw(address) + Raw(attribute))).empty());
}

}  // namespace
}  // namespace bellwire::agent
