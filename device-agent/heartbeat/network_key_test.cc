#include "device-agent/heartbeat/network_key.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

NetworkKey Behind(std::string gateway) {
  return {NetworkKey::Kind::kWifi, "wlan0", "", std::move(gateway)};
}

TEST(SharedIdTest, IsTheSameBehindOneRouter) {
  const auto id = Behind("00:1a:2b:3c:4d:5e").SharedId();
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(Behind("00:1A:2B:3C:4D:5E").SharedId(), id);
  EXPECT_EQ((NetworkKey{NetworkKey::Kind::kEthernet, "eth0", "", "00:1a:2b:3c:4d:5e"}).SharedId(),
            id);
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

NetworkKey Named(NetworkKey::Kind kind, absl::string_view name, std::string gateway) {
  return {kind, "wwan0", DigestOfName(kind, name), std::move(gateway)};
}

TEST(NetworkKeyOfNameTest, ACarrierIsOneNetworkWhateverItsGateway) {
  const auto carrier = [](absl::string_view name, std::string gateway) {
    return Named(NetworkKey::Kind::kCellular, name, std::move(gateway));
  };
  NetworkKey key = carrier("26201/internet", "10.1.2.3");
  const auto id = key.SharedId();
  ASSERT_TRUE(id.has_value()) << "so hints work on cellular";
  EXPECT_EQ(carrier("26201/internet", "10.9.9.9").SharedId(), id);
  EXPECT_EQ(carrier("26201/internet", "02:50:f4:00:00:00").SharedId(), id) << "a modem on USB";
  EXPECT_EQ(carrier("26201/internet", "10.9.9.9").Id(), key.Id());
  EXPECT_NE(carrier("26202/internet", "10.1.2.3").SharedId(), id);
  EXPECT_NE(carrier("26202/internet", "10.1.2.3").Id(), key.Id());
  key.interface = "rmnet0";
  EXPECT_EQ(key.Id(), carrier("26201/internet", "10.1.2.3").Id());
  EXPECT_EQ(key.SharedId(), id);
}

TEST(NetworkKeyOfNameTest, AnSsidIsOneNetworkBehindEachRouter) {
  const auto wifi = [](absl::string_view name, std::string gateway) {
    return Named(NetworkKey::Kind::kWifi, name, std::move(gateway));
  };
  EXPECT_NE(wifi("home", "00:1a:2b:3c:4d:5e").Id(), wifi("home", "00:1a:2b:3c:4d:5f").Id());
  EXPECT_NE(wifi("home", "00:1a:2b:3c:4d:5e").Id(), wifi("guests", "00:1a:2b:3c:4d:5e").Id());
  EXPECT_EQ(wifi("home", "00:1a:2b:3c:4d:5e").SharedId(), Behind("00:1a:2b:3c:4d:5e").SharedId())
      << "who was told the name learns from who was not";
  // A hotspot, a virtual router: with the SSID they are somebody's.
  for (const char* gateway : {"02:42:ac:11:00:01", "00:00:5e:00:01:07"}) {
    ASSERT_TRUE(wifi("home", gateway).SharedId().has_value());
    EXPECT_NE(wifi("home", gateway).SharedId(), wifi("work", gateway).SharedId());
  }
  EXPECT_FALSE(wifi("home", "192.168.1.1").SharedId().has_value()) << "everybody's";
  EXPECT_FALSE(
      Named(NetworkKey::Kind::kEthernet, "home", "02:42:ac:11:00:01").SharedId().has_value())
      << "what a cable's network is called is this phone's own affair";
}

TEST(NetworkKeyOfNameTest, NoNameIsInTheKey) {
  const std::string digest = DigestOfName(NetworkKey::Kind::kWifi, "Hotel Bellevue");
  EXPECT_EQ(digest.size(), 2 * NetworkId::kSize);
  EXPECT_NE(digest, DigestOfName(NetworkKey::Kind::kCellular, "Hotel Bellevue"));
  EXPECT_NE(digest, DigestOfName(NetworkKey::Kind::kWifi, "Hotel Bellevu"));
}

}  // namespace
}  // namespace bellwire::agent
