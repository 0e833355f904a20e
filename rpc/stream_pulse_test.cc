#include "rpc/stream_pulse.h"

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(StreamPulseTest, SpeaksAfterTwoSecondsOfItsOwnSilence) {
  SimulatedClock clock;
  StreamPulse pulse(clock.Monotonic());
  clock.Advance(absl::Milliseconds(1999));
  EXPECT_FALSE(pulse.HasToSpeak(clock.Monotonic()));
  clock.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(pulse.HasToSpeak(clock.Monotonic()));
  pulse.OnSpoke(clock.Monotonic());
  EXPECT_FALSE(pulse.HasToSpeak(clock.Monotonic()));
}

TEST(StreamPulseTest, SixSecondsOfTheOthersSilenceAreABreak) {
  SimulatedClock clock;
  StreamPulse pulse(clock.Monotonic());
  clock.Advance(absl::Seconds(4));
  pulse.OnHeard(clock.Monotonic());
  clock.Advance(absl::Milliseconds(5999));
  pulse.OnSpoke(clock.Monotonic());
  EXPECT_FALSE(pulse.IsBroken(clock.Monotonic()));
  clock.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(pulse.IsBroken(clock.Monotonic())) << "its own word does not count";
}

}  // namespace
}  // namespace bellwire
