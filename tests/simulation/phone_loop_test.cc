#include "tests/simulation/phone_loop.h"

#include "absl/time/time.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"

namespace bellwire::simulation {
namespace {

class PhoneLoopTest : public testing::Test {
 protected:
  SimulatedClock truth_;
  net::SimulatedLoop loop_{&truth_};
  PhoneLoop phone_{&loop_};
};

TEST_F(PhoneLoopTest, ATimerHasAfterSleepWhatItHadLeftBefore) {
  int fired = 0;
  const auto timer = phone_.NewTimer([&fired] { ++fired; });
  timer->Arm(absl::Seconds(10));
  loop_.RunFor(absl::Seconds(4));
  phone_.Suspend();
  loop_.RunFor(absl::Hours(1));
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(timer->armed());
  phone_.Resume();
  loop_.RunFor(absl::Seconds(5));
  EXPECT_EQ(fired, 0);
  loop_.RunFor(absl::Seconds(2));
  EXPECT_EQ(fired, 1);
}

TEST_F(PhoneLoopTest, OnlyMonotonicTimeStandsStill) {
  const MonotonicTime monotonic = phone_.clock().Monotonic();
  const MonotonicTime boottime = phone_.clock().Boottime();
  const absl::Time wall = phone_.clock().WallNow();
  phone_.Suspend();
  loop_.RunFor(absl::Hours(1));
  EXPECT_EQ(phone_.clock().Monotonic(), monotonic);
  phone_.Resume();
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(phone_.clock().Monotonic() - monotonic, absl::Minutes(1));
  EXPECT_EQ(phone_.clock().Boottime() - boottime, absl::Minutes(61));
  EXPECT_EQ(phone_.clock().WallNow() - wall, absl::Minutes(61));
}

TEST_F(PhoneLoopTest, WhatIsPostedMeanwhileRunsAfterwards) {
  bool ran = false;
  phone_.Suspend();
  EXPECT_TRUE(phone_.Post([&ran] { ran = true; }));
  loop_.RunUntilIdle();
  EXPECT_FALSE(ran);
  phone_.Resume();
  loop_.RunUntilIdle();
  EXPECT_TRUE(ran);
}

TEST_F(PhoneLoopTest, ATimerArmedOrCancelledMeanwhileKeepsToIt) {
  int first = 0;
  int second = 0;
  const auto cancelled = phone_.NewTimer([&first] { ++first; });
  const auto armed = phone_.NewTimer([&second] { ++second; });
  cancelled->Arm(absl::Seconds(1));
  phone_.Suspend();
  cancelled->Cancel();
  armed->Arm(absl::Seconds(1));
  loop_.RunFor(absl::Hours(1));
  phone_.Resume();
  loop_.RunFor(absl::Seconds(2));
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

}  // namespace
}  // namespace bellwire::simulation
