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

TEST(DefaultRouteTest, TheBestRouteAndItsRoutersLinkLayerAddress) {
  const NetworkKey key = ParseDefaultRoute(kRoutes, kNeighbours);
  EXPECT_EQ(key.name, "wlan0");
  EXPECT_EQ(key.gateway, "02:00:5e:10:00:02");
}

TEST(DefaultRouteTest, WithoutALinkLayerAddressTheAddress) {
  EXPECT_EQ(ParseDefaultRoute(kRoutes, "").gateway, "192.168.1.1");
}

TEST(DefaultRouteTest, WithoutADefaultRouteAKeyOfItsOwn) {
  EXPECT_EQ(ParseDefaultRoute("", kNeighbours).Id(), NetworkKey().Id());
  EXPECT_EQ(ParseDefaultRoute("nonsense\na b c d e f g h\n", "x").Id(), NetworkKey().Id());
}

TEST(DefaultRouteTest, ReadsThisMachine) {
  EXPECT_EQ(ReadDefaultRoute().Id(), ReadDefaultRoute().Id());
}

}  // namespace
}  // namespace bellwire::agent
