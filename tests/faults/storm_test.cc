// The short run of tests/faults: dozens of kills in the midst of a load. The long one is
// tools/faults.

#include "tests/faults/storm.h"

#include <iostream>

#include "gtest/gtest.h"

namespace bellwire::tests {
namespace {

TEST(StormTest, NothingIsLostShownTwiceOrOutOfOrder) {
  const auto report = RunStorm({.kills = 36, .power_cuts = 4, .messages = 8'000, .seed = 20261121});
  ASSERT_TRUE(report.ok()) << report.status();
  std::cout << report->ToString();
  EXPECT_TRUE(report->violations.empty());
  EXPECT_TRUE(report->tally.clean());
  EXPECT_GE(report->kills(), 36);
  EXPECT_GE(report->power_cuts, 4);
  EXPECT_GE(report->tally.taken + report->bare.taken, 8'000);
  EXPECT_GE(report->web_pushes, 500);
  EXPECT_GE(report->bare.taken, 500);
}

}  // namespace
}  // namespace bellwire::tests
