#include "device-agent/heartbeat/network_key.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

NetworkKey Behind(std::string gateway) {
  return {NetworkKey::Kind::kWifi, "wlan0", std::move(gateway)};
}

TEST(SharedIdTest, IsTheSameBehindOneRouter) {
  const auto id = Behind("00:1a:2b:3c:4d:5e").SharedId();
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(Behind("00:1A:2B:3C:4D:5E").SharedId(), id);
  EXPECT_EQ((NetworkKey{NetworkKey::Kind::kEthernet, "eth0", "00:1a:2b:3c:4d:5e"}).SharedId(), id);
  EXPECT_NE(Behind("00:1a:2b:3c:4d:5f").SharedId(), id);
  EXPECT_NE(Behind("00:1a:2b:3c:4d:5e").Id(), *id) << "what is on disk is not what is told";
}

TEST(SharedIdTest, WhatManyNetworksShareNamesNone) {
  EXPECT_FALSE(NetworkKey().SharedId().has_value());
  EXPECT_FALSE(Behind("192.168.1.1").SharedId().has_value());
  EXPECT_FALSE(Behind("02:42:ac:11:00:01").SharedId().has_value()) << "made up by software";
  EXPECT_FALSE(Behind("00:00:5e:00:01:07").SharedId().has_value()) << "VRRP";
  EXPECT_FALSE(Behind("zz:1a:2b:3c:4d:5e").SharedId().has_value());
}

}  // namespace
}  // namespace bellwire::agent
