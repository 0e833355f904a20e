#include "device-agent/apps/fair_share.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

constexpr size_t kPlaces = 512;

TEST(FairShareTest, OneUserHasNearlyAllAndLeavesRoomForOthers) {
  size_t taken = 0;
  while (MayTakePlace(kPlaces, taken, taken)) ++taken;
  EXPECT_EQ(taken, kPlaces * 7 / 8);
  size_t second = 0;
  while (MayTakePlace(kPlaces, taken, second)) ++second, ++taken;
  EXPECT_GE(second, 10u);
}

TEST(FairShareTest, ADozenGreedyUsersLeaveAPlaceForTheNext) {
  size_t taken = 0;
  for (int user = 0; user < 12; ++user) {
    size_t own = 0;
    while (MayTakePlace(kPlaces, taken, own)) ++own, ++taken;
    EXPECT_GT(own, 0u) << user;
  }
  EXPECT_TRUE(MayTakePlace(kPlaces, taken, 0));
}

TEST(FairShareTest, TheBoundHolds) {
  EXPECT_FALSE(MayTakePlace(kPlaces, kPlaces, 0));
  EXPECT_TRUE(MayTakePlace(kPlaces, kPlaces - 1, 0));
  EXPECT_FALSE(MayTakePlace(kPlaces, kPlaces - 1, 1));
  EXPECT_FALSE(MayTakePlace(0, 0, 0));
}

}  // namespace
}  // namespace bellwire::agent
