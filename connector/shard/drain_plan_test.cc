#include "connector/shard/drain_plan.h"

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

TEST(DrainPlanTest, AFewGoAtOnce) {
  const DrainPlan plan(3, absl::Seconds(30));
  EXPECT_EQ(plan.DueAfter(absl::Milliseconds(10)), 3u);
}

TEST(DrainPlanTest, ManyGoEvenlyAtTheGivenRate) {
  const DrainPlan plan(10 * kDrainConnectionsPerSecond, absl::Seconds(60));
  EXPECT_EQ(plan.DueAfter(absl::Seconds(1)), kDrainConnectionsPerSecond);
  EXPECT_EQ(plan.DueAfter(absl::Seconds(5)), 5 * kDrainConnectionsPerSecond);
  EXPECT_EQ(plan.DueAfter(absl::Seconds(10)), 10 * kDrainConnectionsPerSecond);
}

TEST(DrainPlanTest, AShortTimeIsKept) {
  const size_t connections = 100 * kDrainConnectionsPerSecond;
  const DrainPlan plan(connections, absl::Seconds(10));
  EXPECT_LT(plan.DueAfter(absl::Seconds(3)), connections);
  EXPECT_EQ(plan.DueAfter(absl::Seconds(10) - 2 * kGoAwayLinger), connections);
  EXPECT_EQ(DrainPlan(connections, absl::ZeroDuration()).DueAfter(absl::ZeroDuration()),
            connections);
}

TEST(DrainPlanTest, NothingToDrain) {
  EXPECT_EQ(DrainPlan(0, absl::Seconds(10)).DueAfter(absl::ZeroDuration()), 0u);
}

}  // namespace
}  // namespace bellwire::connector
