// The whole system, from seeds (world.h). tools/simulate runs longer ones.

#include <unistd.h>

#include <cstdint>
#include <string>

#include "common/log.h"
#include "gtest/gtest.h"
#include "tests/simulation/world.h"

namespace bellwire::simulation {
namespace {

WorldOptions OptionsOf(uint64_t seed) {
  SetLogLevel(LogLevel::kError);
  WorldOptions options;
  options.seed = seed;
  options.devices = 6;
  options.messages_per_day = 300;
  options.time = absl::Hours(8);
  // The phones' disks sync with every transaction: in memory, if there is one to write to.
  if (access(options.directory.c_str(), W_OK) != 0) options.directory = testing::TempDir();
  return options;
}

std::string Describe(const Report& report) {
  return report.violation.has_value() ? report.trace + report.violation->what : "";
}

TEST(SimulationTest, NothingIsLostWhenNothingGoesWrong) {
  WorldOptions options = OptionsOf(1);
  options.faults = 0;
  const Report report = RunWorld(options);
  EXPECT_FALSE(report.violation.has_value()) << Describe(report);
  EXPECT_GT(report.counts.shown, 300u);
  // Each of them could have come too early or late, and some had to wait.
  EXPECT_GT(report.counts.timed, 300u);
  EXPECT_GT(report.counts.waited, 50u);
  EXPECT_EQ(report.counts.refused, 0u);
  EXPECT_EQ(report.counts.unanswered, 0u);
  EXPECT_EQ(report.counts.repeated_receipts, 0u);
}

TEST(SimulationTest, ASeedGivesTheSameRun) {
  WorldOptions options = OptionsOf(7);
  options.faults = 20;
  const Report first = RunWorld(options);
  const Report second = RunWorld(options);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.events, second.events);
  options.seed = 8;
  EXPECT_NE(first.trace_hash, RunWorld(options).trace_hash);
}

class SeedTest : public testing::TestWithParam<int> {};

TEST_P(SeedTest, NothingIsLostWhateverGoesWrong) {
  WorldOptions options = OptionsOf(static_cast<uint64_t>(GetParam()));
  // A short run, so more of it.
  options.faults = 20;
  const Report report = RunWorld(options);
  EXPECT_FALSE(report.violation.has_value()) << Describe(report);
  EXPECT_GT(report.counts.shown, 100u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SeedTest, testing::Range(100, 130));

// That what can go wrong does: a fault that never happens proves nothing.
TEST(SimulationTest, EverythingHappens) {
  WorldOptions options = OptionsOf(7);
  options.faults = 20;
  // These are rare.
  options.rates.floods = 2;
  options.rates.unregistrations = 3;
  const Report report = RunWorld(options);
  EXPECT_FALSE(report.violation.has_value()) << Describe(report);
  for (const push::v1::Step step :
       {push::v1::APP_ACKED, push::v1::EXPIRED, push::v1::COLLAPSED, push::v1::OVERFLOWED,
        push::v1::RECALLED, push::v1::UNREGISTERED, push::v1::NOT_CONNECTED}) {
    EXPECT_TRUE(report.counts.ended.contains(step)) << push::v1::Step_Name(step);
  }
  EXPECT_GT(report.counts.refused, 0u);
  EXPECT_GT(report.counts.activity_changes, 0u);
  EXPECT_GT(report.counts.waited, 0u);
  EXPECT_GT(report.counts.timed, 0u);
  EXPECT_GT(report.counts.gaps, 0u);
  EXPECT_GT(report.counts.dead_tokens, 0u);
  EXPECT_GT(report.counts.intrusions, 0u);
  EXPECT_GT(report.counts.repeated_receipts, 0u);
}

}  // namespace
}  // namespace bellwire::simulation
