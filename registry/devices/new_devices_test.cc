#include "registry/devices/new_devices.h"

#include <string>

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

constexpr char kTown[] = "\x64\x40\x01\x01";
constexpr char kHouse[] = "\x64\x40\x01\x02";

// The i-th IPv4 address.
std::string Address(int i) {
  return {'\x0a', static_cast<char>(i >> 16), static_cast<char>(i >> 8), static_cast<char>(i)};
}

class NewDevicesTest : public ::testing::Test {
 protected:
  // How many of `wanted` come in.
  int Bring(const std::string& peer, int wanted) {
    int admitted = 0;
    for (int i = 0; i < wanted; ++i) {
      const absl::Status status = devices_.Admit(peer, now_);
      if (status.ok()) {
        ++admitted;
      } else {
        EXPECT_EQ(ErrorReason(status), "TOO_MANY_NEW_DEVICES");
        EXPECT_TRUE(RetryAfter(status).has_value());
        EXPECT_GE(*RetryAfter(status), absl::Minutes(1));
        EXPECT_LE(*RetryAfter(status), absl::Minutes(30));
      }
    }
    return admitted;
  }

  NewDevices devices_{1000};
  MonotonicTime now_ = MonotonicTime() + absl::Hours(10);
};

TEST_F(NewDevicesTest, WithoutABoundAllComeIn) {
  NewDevices unbounded(0);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(unbounded.Admit(kTown, now_).ok());
  EXPECT_EQ(unbounded.addresses(), 0u);
}

TEST_F(NewDevicesTest, OneAddressAloneMayUseTheWholeBound) { EXPECT_EQ(Bring(kTown, 2000), 1000); }

TEST_F(NewDevicesTest, ATownBehindOneAddressLeavesOthersTheirShare) {
  EXPECT_EQ(Bring(kTown, 500), 500) << "nobody else is there";
  EXPECT_EQ(Bring(kHouse, 10), 10);
  EXPECT_EQ(Bring(kTown, 500), 0) << "half of the bound is its share of two";
  EXPECT_EQ(Bring(kHouse, 1000), 490) << "what is left";
}

TEST_F(NewDevicesTest, ManyAddressesGetOneEachWhileThereAreAny) {
  for (int i = 0; i < 500; ++i) ASSERT_EQ(Bring(Address(i), 1), 1);
  // Scarce now: 1000 divided by 501 addresses.
  EXPECT_EQ(Bring(kTown, 100), 1);
  EXPECT_EQ(Bring(Address(600), 100), 1);
}

TEST_F(NewDevicesTest, NoMoreThanTheBoundComeInAnHour) {
  ASSERT_EQ(Bring(kTown, 1000), 1000);
  int admitted = 0;
  for (int minute = 0; minute < 600; ++minute) {
    now_ = now_ + absl::Minutes(1);
    admitted += Bring(kTown, 100);
  }
  EXPECT_GT(admitted, 9'000);
  EXPECT_LE(admitted, 10'000);
}

TEST_F(NewDevicesTest, AddressesOfOneIpv6SiteShare) {
  const std::string site = "\x20\x01\x0d\xb8\x12\x34";
  EXPECT_EQ(Bring(site + "\x01\x02", 500), 500);
  Bring(kHouse, 1);
  EXPECT_EQ(Bring(site + "\x03\x04", 10), 0) << "of the same /48";
  EXPECT_EQ(devices_.addresses(), 2u);
}

TEST_F(NewDevicesTest, AddressesAreBounded) {
  NewDevices many(1'000'000);
  for (int i = 0; i < static_cast<int>(NewDevices::kMaxAddresses) + 1000; ++i) {
    ASSERT_TRUE(many.Admit(Address(i), now_).ok());
  }
  EXPECT_LE(many.addresses(), NewDevices::kMaxAddresses + 1);
  ASSERT_TRUE(many.Admit(kTown, now_ + absl::Hours(10)).ok());
  EXPECT_EQ(many.addresses(), 1u) << "what has faded is forgotten";
}

}  // namespace
}  // namespace bellwire::registry
