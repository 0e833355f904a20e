#include "gateway/send/adaptive_limit.h"

#include <algorithm>
#include <cstddef>
#include <deque>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(1);

// A server that serves at most so many calls a second, first come, first served, and calls that
// come at a steady rate, whatever becomes of them.
class Overload {
 public:
  struct Result {
    size_t refused = 0;
    size_t served = 0;
    size_t most_under_way = 0;
    absl::Duration slowest;
  };

  Result Run(double offered_per_second, double capacity_per_second, absl::Duration time) {
    Result result;
    for (absl::Duration passed; passed < time; passed += kStep) {
      clock_.Advance(kStep);
      offered_ += offered_per_second * absl::ToDoubleSeconds(kStep);
      for (; offered_ >= 1; --offered_) {
        if (queue_.size() < limit_.limit()) {
          queue_.push_back(clock_.Monotonic());
        } else {
          ++result.refused;
        }
      }
      result.most_under_way = std::max(result.most_under_way, queue_.size());
      // An idle server saves nothing up.
      capacity_ = std::min(capacity_, 1.0) + capacity_per_second * absl::ToDoubleSeconds(kStep);
      for (; capacity_ >= 1 && !queue_.empty(); --capacity_) {
        const MonotonicTime began = queue_.front();
        queue_.pop_front();
        ++result.served;
        result.slowest = std::max(result.slowest, clock_.Monotonic() - began);
        limit_.OnServed(began, clock_.Monotonic());
      }
    }
    return result;
  }

  // Nothing is served, and nothing comes.
  void Stall(absl::Duration time) { clock_.Advance(time); }
  size_t limit() const { return limit_.limit(); }

 private:
  SimulatedClock clock_;
  AdaptiveLimit limit_{AdaptiveLimit::Options{}};
  // Since when each call is under way.
  std::deque<MonotonicTime> queue_;
  double offered_ = 0;
  double capacity_ = 0;
};

TEST(AdaptiveLimitTest, ThreeTimesTheCapacityIsAnsweredInTimeOrRefused) {
  for (const double capacity : {25'000.0, 60'000.0, 200'000.0}) {
    SCOPED_TRACE(capacity);
    Overload overload;
    overload.Run(3 * capacity, capacity, absl::Seconds(2));
    const Overload::Result result = overload.Run(3 * capacity, capacity, absl::Seconds(20));
    EXPECT_LT(result.slowest, 2 * kAppendLatencyTarget);
    EXPECT_LT(result.most_under_way, capacity * absl::ToDoubleSeconds(2 * kAppendLatencyTarget));
    // The server is kept busy all the same.
    EXPECT_GT(result.served, 0.99 * capacity * 20);
    EXPECT_NEAR(result.refused, 2 * capacity * 20, 0.02 * capacity * 20);
  }
}

TEST(AdaptiveLimitTest, RefusesNothingBelowTheCapacity) {
  Overload overload;
  const Overload::Result result = overload.Run(0.9 * 25'000, 25'000, absl::Seconds(20));
  EXPECT_EQ(result.refused, 0u);
}

TEST(AdaptiveLimitTest, IsWideOpenAgainSoonAfterAnOverload) {
  Overload overload;
  overload.Run(3 * 25'000, 25'000, absl::Seconds(5));
  ASSERT_LT(overload.limit(), 5000u);
  overload.Run(0.5 * 25'000, 25'000, absl::Seconds(3));
  EXPECT_EQ(overload.limit(), kMaxGatewaySends);
}

TEST(AdaptiveLimitTest, OneSlowSyncIsNoOverload) {
  Overload overload;
  for (int i = 0; i < 10; ++i) {
    overload.Run(10'000, 25'000, absl::Seconds(1));
    overload.Stall(absl::Milliseconds(500));
  }
  EXPECT_EQ(overload.limit(), kMaxGatewaySends);
}

TEST(AdaptiveLimitTest, AVerySlowServerStillTakesAStreamOrABatch) {
  Overload overload;
  const Overload::Result result = overload.Run(3000, 100, absl::Seconds(60));
  EXPECT_EQ(overload.limit(), kMinGatewayAppends);
  EXPECT_GT(result.served, 5900u);
}

}  // namespace
}  // namespace bellwire::gateway
