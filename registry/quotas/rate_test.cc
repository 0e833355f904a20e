#include "registry/quotas/rate.h"

#include <cstdint>

#include "absl/time/time.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

// How many pass in `time` of a sender that always has more, and asks each millisecond.
int64_t Passed(Rate* rate, int64_t per_second, absl::Duration time, SimulatedClock* clock) {
  constexpr absl::Duration kStep = absl::Milliseconds(1);
  int64_t passed = 0;
  for (absl::Duration t; t < time; t += kStep) {
    while (!rate->Wait(per_second, clock->Monotonic()).has_value()) {
      rate->Take(per_second, clock->Monotonic());
      ++passed;
    }
    clock->Advance(kStep);
  }
  return passed;
}

TEST(RateTest, OneSecondsWorthMayComeAtOnce) {
  for (const int64_t per_second : {1, 3, 7, 100, 1000}) {
    SimulatedClock clock;
    clock.Advance(absl::Hours(1));
    Rate rate;
    int64_t passed = 0;
    while (!rate.Wait(per_second, clock.Monotonic()).has_value()) {
      rate.Take(per_second, clock.Monotonic());
      ASSERT_LE(++passed, per_second);
    }
    EXPECT_EQ(passed, per_second);
  }
}

TEST(RateTest, IsExactWithinFivePercentFromTwentySecondsOn) {
  for (const int64_t per_second : {1, 3, 50, 700}) {
    SimulatedClock clock;
    Rate rate;
    const int64_t passed = Passed(&rate, per_second, absl::Seconds(20), &clock);
    EXPECT_GE(passed, 20 * per_second);
    EXPECT_LE(passed, 21 * per_second);
  }
}

TEST(RateTest, TheWaitIsTheTimeOfTheNext) {
  SimulatedClock clock;
  Rate rate;
  for (int i = 0; i < 4; ++i) rate.Take(4, clock.Monotonic());
  const auto wait = rate.Wait(4, clock.Monotonic());
  ASSERT_TRUE(wait.has_value());
  EXPECT_EQ(*wait, absl::Milliseconds(250));
  clock.Advance(*wait - absl::Nanoseconds(1));
  EXPECT_TRUE(rate.Wait(4, clock.Monotonic()).has_value());
  clock.Advance(absl::Nanoseconds(1));
  EXPECT_FALSE(rate.Wait(4, clock.Monotonic()).has_value());
}

TEST(RateTest, AChangedRateHoldsAtOnce) {
  SimulatedClock clock;
  Rate rate;
  for (int i = 0; i < 10; ++i) rate.Take(10, clock.Monotonic());
  EXPECT_TRUE(rate.Wait(10, clock.Monotonic()).has_value());
  clock.Advance(absl::Milliseconds(100));
  int passed = 0;
  while (!rate.Wait(1000, clock.Monotonic()).has_value()) {
    rate.Take(1000, clock.Monotonic());
    ++passed;
  }
  EXPECT_EQ(passed, 100);
  EXPECT_FALSE(rate.IsIdle(clock.Monotonic()));
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(rate.IsIdle(clock.Monotonic()));
}

}  // namespace
}  // namespace bellwire::registry
