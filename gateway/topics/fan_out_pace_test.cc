#include "gateway/topics/fan_out_pace.h"

#include <algorithm>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

class FanOutPaceTest : public testing::Test {
 protected:
  // A server that takes `base` for a call and `each` more for every other one under way, among them
  // `others` that aren't ours, for so long.
  void Serve(absl::Duration length, absl::Duration base, absl::Duration each, int others = 0) {
    const MonotonicTime end = clock.Monotonic() + length;
    while (clock.Monotonic() < end) {
      const size_t under_way = pace.limit();
      const absl::Duration took = base + each * static_cast<int64_t>(under_way + others);
      clock.Advance(took);
      for (size_t i = 0; i < under_way; ++i) pace.OnServed(took, clock.Monotonic());
    }
  }

  SimulatedClock clock;
  FanOutPace::Options options;
  FanOutPace pace{options, clock.Monotonic()};
};

TEST_F(FanOutPaceTest, TakesWhatIsLeft) {
  EXPECT_EQ(pace.limit(), options.min);
  Serve(absl::Seconds(5), absl::Milliseconds(2), absl::ZeroDuration());
  EXPECT_EQ(pace.limit(), options.max);
}

TEST_F(FanOutPaceTest, StopsWhereItsOwnQueueBegins) {
  Serve(absl::Seconds(5), absl::Milliseconds(2), absl::Microseconds(50));
  // With four under way a call takes 2.2 ms, so on the average it may take 3.55 ms: 31 calls.
  EXPECT_GT(pace.limit(), 18);
  EXPECT_LT(pace.limit(), 40);
}

TEST_F(FanOutPaceTest, GivesWayToOthers) {
  Serve(absl::Seconds(5), absl::Milliseconds(2), absl::Microseconds(50));
  Serve(absl::Seconds(2), absl::Milliseconds(2), absl::Microseconds(50), /*others=*/200);
  EXPECT_EQ(pace.limit(), options.min);
  // And comes back.
  Serve(absl::Seconds(5), absl::Milliseconds(2), absl::Microseconds(50));
  EXPECT_GT(pace.limit(), 18);
}

TEST_F(FanOutPaceTest, LearnsThatTheServerBecameSlower) {
  Serve(absl::Seconds(5), absl::Milliseconds(1), absl::ZeroDuration());
  Serve(absl::Seconds(5), absl::Milliseconds(20), absl::ZeroDuration());
  EXPECT_EQ(pace.limit(), options.min);
  Serve(3 * FanOutPace::kBaseTime, absl::Milliseconds(20), absl::ZeroDuration());
  EXPECT_EQ(pace.limit(), options.max);
}

TEST_F(FanOutPaceTest, ARefusalIsAQueueThatIsFull) {
  Serve(absl::Seconds(5), absl::Milliseconds(2), absl::ZeroDuration());
  pace.OnRefused(clock.Monotonic());
  EXPECT_EQ(pace.limit(), options.min);
}

}  // namespace
}  // namespace bellwire::gateway
