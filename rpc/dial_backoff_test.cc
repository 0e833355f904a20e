#include "rpc/dial_backoff.h"

#include <algorithm>

#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

// How long MayDial stays false from now on, to the millisecond.
absl::Duration Wait(SimulatedClock& clock, const DialBackoff& backoff) {
  absl::Duration waited;
  while (!backoff.MayDial()) {
    clock.Advance(absl::Milliseconds(1));
    waited += absl::Milliseconds(1);
  }
  return waited;
}

TEST(DialBackoffTest, TheFirstAttemptIsFree) {
  SimulatedClock clock;
  EXPECT_TRUE(DialBackoff(&clock).MayDial());
}

TEST(DialBackoffTest, DelaysDoubleUpToTheBound) {
  SimulatedClock clock;
  DialBackoff backoff(&clock);
  absl::Duration whole = kConnectorDialBase;
  for (int i = 0; i < 12; ++i) {
    backoff.OnEnded();
    const absl::Duration waited = Wait(clock, backoff);
    EXPECT_GE(waited, whole / 2) << i;
    EXPECT_LE(waited, whole + absl::Milliseconds(1)) << i;
    whole = std::min(2 * whole, kConnectorDialMax);
  }
  EXPECT_EQ(whole, kConnectorDialMax);
}

TEST(DialBackoffTest, AnAnswerStartsOver) {
  SimulatedClock clock;
  DialBackoff backoff(&clock);
  for (int i = 0; i < 10; ++i) backoff.OnEnded();
  backoff.OnOpened();
  backoff.OnEnded();
  EXPECT_LE(Wait(clock, backoff), kConnectorDialBase + absl::Milliseconds(1));
}

TEST(DialBackoffTest, DelaysAreSpread) {
  SimulatedClock clock;
  absl::Duration least = absl::InfiniteDuration(), most;
  for (int i = 0; i < 100; ++i) {
    DialBackoff backoff(&clock);
    backoff.OnEnded();
    const absl::Duration waited = Wait(clock, backoff);
    least = std::min(least, waited);
    most = std::max(most, waited);
  }
  EXPECT_GT(most - least, kConnectorDialBase / 4);
}

}  // namespace
}  // namespace bellwire
