#include "device-agent/heartbeat/default_route.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

constexpr absl::string_view kRoutes =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT \n"
    "wwan0\t00000000\t0100000A\t0003\t0\t0\t700\t00000000\t0\t0\t0 \n"
    "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0 \n"
    "wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0 \n";
constexpr absl::string_view kNeighbours =
    "IP address       HW type     Flags       HW address            Mask     Device\n"
    "192.168.1.1      0x1         0x2         02:00:5e:10:00:01     *        eth1\n"
    "192.168.1.1      0x1         0x2         02:00:5e:10:00:02     *        wlan0\n";

constexpr absl::string_view kIpv6Routes =
    "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     wwan1\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000400 00000001 00000000 00000001     wwan0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000200 00000002 00000000 00000003     wlan0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000001 00000001 00000000 00200200        lo\n";

TEST(DefaultRouteTest, TheBestRouteAndItsRoutersLinkLayerAddress) {
  const NetworkKey key = ParseDefaultRoute(kRoutes, kNeighbours, kIpv6Routes);
  EXPECT_EQ(key.interface, "wlan0");
  EXPECT_EQ(key.gateway, "02:00:5e:10:00:02");
}

TEST(DefaultRouteTest, WithoutALinkLayerAddressTheAddress) {
  EXPECT_EQ(ParseDefaultRoute(kRoutes, "", "").gateway, "192.168.1.1");
}

TEST(DefaultRouteTest, WithoutIpv4TheBestRouteOfIpv6) {
  const NetworkKey key = ParseDefaultRoute("", kNeighbours, kIpv6Routes);
  EXPECT_EQ(key.interface, "wlan0");
  EXPECT_EQ(key.gateway, "fe80::1");
  const NetworkKey modem =
      ParseDefaultRoute("", "", kIpv6Routes.substr(0, kIpv6Routes.find("wwan0") + sizeof("wwan0")));
  EXPECT_EQ(modem.interface, "wwan0");
  EXPECT_EQ(modem.gateway, "") << "a link with nobody else on it";
}

TEST(DefaultRouteTest, WithoutADefaultRouteAKeyOfItsOwn) {
  EXPECT_EQ(ParseDefaultRoute("", kNeighbours, "").Id(), NetworkKey().Id());
  EXPECT_EQ(ParseDefaultRoute("nonsense\na b c d e f g h\n", "x", "a b c d e f g h i j\nk").Id(),
            NetworkKey().Id());
}

TEST(DefaultRouteTest, ReadsThisMachine) {
  EXPECT_EQ(ReadDefaultRoute().Id(), ReadDefaultRoute().Id());
}

}  // namespace
}  // namespace bellwire::agent
