#include "net/socket/descriptor_budget.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

TEST(DescriptorBudgetTest, LeavesAReserveAtEveryLimit) {
  EXPECT_EQ(DescriptorBudget::DeviceShare(1024), 480u);
  EXPECT_EQ(DescriptorBudget::DeviceShare(20'000), 18'863u);
  for (size_t limit : {64, 256, 1024, 1100, 4096, 20'000, 524'288}) {
    const size_t share = DescriptorBudget::DeviceShare(limit);
    EXPECT_GE(share, limit / 4) << limit;
    // RocksDB keeps 512 files open at most; a small store has a few dozen.
    EXPECT_GE(limit - share, limit >= 1024 ? 512 : limit / 2) << limit;
  }
}

TEST(DescriptorBudgetTest, GivesNoMoreThanItHas) {
  DescriptorBudget budget(2);
  std::vector<DescriptorBudget::Unit> units;
  for (int i = 0; i < 2; ++i) {
    units.push_back(budget.Take());
    EXPECT_TRUE(units.back());
  }
  EXPECT_TRUE(units.back().scarce());
  EXPECT_FALSE(budget.Take());
  EXPECT_EQ(budget.in_use(), 2u);
  // A unit that moves is one unit.
  DescriptorBudget::Unit moved = std::move(units.back());
  units.pop_back();
  EXPECT_EQ(budget.in_use(), 2u);
  units.clear();
  EXPECT_EQ(budget.in_use(), 1u);
  EXPECT_FALSE(moved.scarce());
  EXPECT_TRUE(budget.Take());
  EXPECT_EQ(budget.in_use(), 1u);
}

}  // namespace
}  // namespace bellwire::net
