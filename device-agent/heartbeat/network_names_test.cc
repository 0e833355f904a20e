#include "device-agent/heartbeat/network_names.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Kind = NetworkKey::Kind;

NetworkKey Over(std::string interface) {
  return {.kind = Kind::kEthernet, .interface = std::move(interface), .gateway = "10.0.0.1"};
}

TEST(NetworkNamesTest, AnInterfaceHasTheNameThatWasToldLast) {
  NetworkNames names;
  EXPECT_EQ(names.Complete(Over("usb0")).Id(), Over("usb0").Id()) << "nothing was told";
  ASSERT_TRUE(names.Set("usb0", Kind::kCellular, "26201/internet").ok());
  const NetworkKey key = names.Complete(Over("usb0"));
  EXPECT_EQ(key.kind, Kind::kCellular) << "the system knows better than the interface's name";
  EXPECT_EQ(key.interface, "usb0");
  EXPECT_EQ(key.gateway, "10.0.0.1");
  EXPECT_NE(key.Id(), Over("usb0").Id());
  EXPECT_EQ(names.Complete(Over("wlan0")).Id(), Over("wlan0").Id()) << "another interface";

  ASSERT_TRUE(names.Set("usb0", Kind::kCellular, "26202/internet").ok());
  EXPECT_NE(names.Complete(Over("usb0")).Id(), key.Id());
  names.Forget("usb0");
  EXPECT_EQ(names.Complete(Over("usb0")).Id(), Over("usb0").Id());
}

TEST(NetworkNamesTest, KeepsNoName) {
  NetworkNames names;
  ASSERT_TRUE(names.Set("wlan0", Kind::kWifi, "Hotel Bellevue").ok());
  EXPECT_EQ(names.Complete(Over("wlan0")).name.find("Bellevue"), std::string::npos);
  EXPECT_EQ(names.Complete(Over("wlan0")).name, DigestOfName(Kind::kWifi, "Hotel Bellevue"));
}

TEST(NetworkNamesTest, RefusesWhatIsNoName) {
  NetworkNames names;
  EXPECT_FALSE(names.Set("", Kind::kWifi, "home").ok());
  EXPECT_FALSE(names.Set("a0123456789012345", Kind::kWifi, "home").ok());
  EXPECT_FALSE(names.Set("wlan0", Kind::kWifi, "").ok());
  EXPECT_FALSE(names.Set("wlan0", Kind::kUnknown, "home").ok());
  EXPECT_TRUE(names.Set("wlan0", Kind::kWifi, std::string(kMaxNetworkNameBytes, '\0')).ok());
  EXPECT_FALSE(names.Set("wlan0", Kind::kWifi, std::string(kMaxNetworkNameBytes + 1, 'x')).ok());
}

TEST(NetworkNamesTest, OfTooManyInterfacesTheOneToldOfFirstGoes) {
  NetworkNames names;
  const auto name_of = [&](size_t n) { return names.Complete(Over(absl::StrCat("wwan", n))).name; };
  for (size_t n = 0; n < kMaxNamedInterfaces; ++n) {
    ASSERT_TRUE(names.Set(absl::StrCat("wwan", n), Kind::kCellular, "carrier").ok());
  }
  EXPECT_NE(name_of(0), "");
  // Said again: now it is the latest.
  ASSERT_TRUE(names.Set("wwan0", Kind::kCellular, "carrier").ok());
  ASSERT_TRUE(names.Set("eth0", Kind::kEthernet, "office").ok());
  EXPECT_NE(name_of(0), "");
  EXPECT_EQ(name_of(1), "");
  EXPECT_NE(name_of(2), "");
}

v1::SetNetwork Request(v1::SetNetwork::Kind kind, std::string name, std::string interface) {
  v1::SetNetwork request;
  request.set_kind(kind);
  request.set_name(std::move(name));
  request.set_interface(std::move(interface));
  return request;
}

TEST(TakeNetworkNameTest, WithoutAnInterfaceItIsTheDefaultRoutes) {
  NetworkNames names;
  const auto wifi = [](std::string interface) {
    return Request(v1::SetNetwork::WIFI, "home", std::move(interface));
  };
  ASSERT_TRUE(TakeNetworkName(wifi(""), "wlan0", &names).ok());
  EXPECT_EQ(names.Complete(Over("wlan0")).kind, Kind::kWifi);
  ASSERT_TRUE(TakeNetworkName(wifi("wlan1"), "wlan0", &names).ok());
  EXPECT_EQ(names.Complete(Over("wlan1")).kind, Kind::kWifi);
  EXPECT_FALSE(TakeNetworkName(wifi(""), "", &names).ok());
}

TEST(TakeNetworkNameTest, KindsAndWhatIsForgotten) {
  NetworkNames names;
  for (const auto& [said, kind] : {std::pair(v1::SetNetwork::CELLULAR, Kind::kCellular),
                                   std::pair(v1::SetNetwork::ETHERNET, Kind::kEthernet)}) {
    ASSERT_TRUE(TakeNetworkName(Request(said, "it", "usb0"), "", &names).ok());
    EXPECT_EQ(names.Complete(Over("usb0")).kind, kind);
  }
  const auto unknown = static_cast<v1::SetNetwork::Kind>(17);
  EXPECT_FALSE(TakeNetworkName(Request(unknown, "it", "usb0"), "", &names).ok());
  EXPECT_FALSE(
      TakeNetworkName(Request(v1::SetNetwork::KIND_UNSPECIFIED, "it", "usb0"), "", &names).ok());
  EXPECT_FALSE(TakeNetworkName(Request(v1::SetNetwork::WIFI, "", "usb0"), "", &names).ok());
  EXPECT_NE(names.Complete(Over("usb0")).name, "") << "what was refused changes nothing";
  ASSERT_TRUE(
      TakeNetworkName(Request(v1::SetNetwork::KIND_UNSPECIFIED, "", "usb0"), "", &names).ok());
  EXPECT_EQ(names.Complete(Over("usb0")).name, "");
}

}  // namespace
}  // namespace bellwire::agent
