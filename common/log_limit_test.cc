#include "common/log_limit.h"

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(LogLimitTest, AFloodIsAFewLinesAMinuteThatSayHowManyItWas) {
  SimulatedClock clock;
  LogLimit limit(&clock);
  uint64_t written = 0;
  uint64_t told = 0;
  for (int minute = 0; minute < 3; ++minute) {
    for (int i = 0; i < 1000; ++i) {
      const auto unsaid = limit.Take();
      if (!unsaid.has_value()) continue;
      ++written;
      told += *unsaid;
    }
    clock.Advance(LogLimit::kInterval);
  }
  EXPECT_EQ(written, 3 * LogLimit::kLines);
  EXPECT_EQ(limit.Take(), 1000 - LogLimit::kLines) << "of the last minute";
  EXPECT_EQ(told, 2 * (1000 - LogLimit::kLines)) << "of the two before";
}

TEST(LogLimitTest, WhatIsRareIsSaidEachTime) {
  SimulatedClock clock;
  LogLimit limit(&clock);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(limit.Take(), 0u);
    clock.Advance(LogLimit::kInterval / static_cast<int>(LogLimit::kLines));
  }
}

}  // namespace
}  // namespace bellwire
