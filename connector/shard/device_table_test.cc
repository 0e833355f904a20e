#include "connector/shard/device_table.h"

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

DeviceId Device(uint8_t n) {
  std::array<uint8_t, DeviceId::kSize> bytes{};
  bytes.fill(n);
  return DeviceId(bytes);
}

TEST(DeviceTableTest, TheNewestHoldsTheDevice) {
  DeviceTable table;
  EXPECT_EQ(table.Claim(Device(1), 10, 1), std::nullopt);
  EXPECT_EQ(table.Claim(Device(1), 11, 2), 10u);
  EXPECT_EQ(table.Claim(Device(2), 12, 1), std::nullopt);
  EXPECT_EQ(table.size(), 2u);
}

TEST(DeviceTableTest, AnOlderOneThatComesLateLoses) {
  DeviceTable table;
  table.Claim(Device(1), 11, 2);
  EXPECT_EQ(table.Claim(Device(1), 10, 1), 10u);
  // The newer one is still there.
  EXPECT_EQ(table.Claim(Device(1), 12, 3), 11u);
}

TEST(DeviceTableTest, AnOlderOneTakesNothingAwayWithIt) {
  DeviceTable table;
  table.Claim(Device(1), 10, 1);
  table.Claim(Device(1), 11, 2);
  table.Release(Device(1), 10);
  EXPECT_EQ(table.size(), 1u);
  table.Release(Device(1), 11);
  EXPECT_EQ(table.size(), 0u);
  table.Release(Device(1), 11);
}

}  // namespace
}  // namespace bellwire::connector
