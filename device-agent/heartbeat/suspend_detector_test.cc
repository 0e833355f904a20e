#include "device-agent/heartbeat/suspend_detector.h"

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

TEST(SuspendDetectorTest, TellsSleepFromTime) {
  SimulatedClock clock;
  clock.Suspend(absl::Hours(1));
  SuspendDetector detector(&clock);
  EXPECT_EQ(detector.Slept(), absl::ZeroDuration()) << "what was before it";
  clock.Advance(absl::Hours(5));
  EXPECT_EQ(detector.Slept(), absl::ZeroDuration());
  clock.Suspend(absl::Minutes(3));
  clock.Advance(absl::Hours(5));
  clock.Suspend(absl::Minutes(4));
  clock.JumpWall(absl::Hours(24));
  EXPECT_EQ(detector.Slept(), absl::Minutes(7));
  EXPECT_EQ(detector.Slept(), absl::ZeroDuration()) << "told once";
}

}  // namespace
}  // namespace bellwire::agent
