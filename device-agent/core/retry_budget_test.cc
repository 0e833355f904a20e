#include "device-agent/core/retry_budget.h"

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

constexpr absl::Duration kRefill = absl::Minutes(2);

class RetryBudgetTest : public testing::Test {
 protected:
  // As many as there are now.
  int TakeAll() {
    int taken = 0;
    while (budget_.Take(clock_.Monotonic())) ++taken;
    return taken;
  }

  SimulatedClock clock_;
  RetryBudget budget_{5, kRefill, clock_.Monotonic()};
};

TEST_F(RetryBudgetTest, SoManyAtOnceAndThenOneByOne) {
  EXPECT_EQ(TakeAll(), 5);
  EXPECT_EQ(budget_.NextToken() - clock_.Monotonic(), kRefill);
  clock_.Advance(kRefill - absl::Nanoseconds(1));
  EXPECT_EQ(TakeAll(), 0);
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(TakeAll(), 1);
}

TEST_F(RetryBudgetTest, FillsUpAndDoesNotOverflow) {
  EXPECT_EQ(TakeAll(), 5);
  clock_.Advance(kRefill * 3.5);
  EXPECT_EQ(TakeAll(), 3);
  clock_.Advance(absl::Hours(100));
  EXPECT_EQ(TakeAll(), 5);
}

TEST_F(RetryBudgetTest, ResetsButNotAllTheTime) {
  EXPECT_EQ(TakeAll(), 5);
  budget_.Reset(clock_.Monotonic(), absl::Minutes(10));
  EXPECT_EQ(TakeAll(), 5);
  clock_.Advance(absl::Minutes(1));
  budget_.Reset(clock_.Monotonic(), absl::Minutes(10));
  EXPECT_EQ(TakeAll(), 0);
  clock_.Advance(absl::Minutes(9));
  budget_.Reset(clock_.Monotonic(), absl::Minutes(10));
  EXPECT_EQ(TakeAll(), 5);
}

}  // namespace
}  // namespace bellwire::agent
