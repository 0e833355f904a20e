#include "device-agent/inbox/app_window.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

TEST(AppWindowTest, HoldsWhatWasGivenUntilTheDiskSaysTaken) {
  AppWindow window;
  window.Open();
  EXPECT_EQ(window.room(), kAppWindowMessages);
  EXPECT_TRUE(window.Give(3));
  EXPECT_TRUE(window.Give(5));
  EXPECT_EQ(window.last_given(), 5u);
  EXPECT_EQ(window.room(), kAppWindowMessages - 2);
  EXPECT_TRUE(window.Take(3));
  EXPECT_TRUE(window.Holds(3)) << "the disk does not have it yet";
  EXPECT_EQ(window.room(), kAppWindowMessages - 2);
  window.Commit({3});
  EXPECT_FALSE(window.Holds(3));
  EXPECT_EQ(window.room(), kAppWindowMessages - 1);
}

TEST(AppWindowTest, TakesOnceAndOnlyWhatItHolds) {
  AppWindow window;
  window.Open();
  window.Give(1);
  EXPECT_FALSE(window.Take(2));
  EXPECT_TRUE(window.Take(1));
  EXPECT_FALSE(window.Take(1));
  window.Commit({1});
  EXPECT_FALSE(window.Take(1));
}

TEST(AppWindowTest, GivesAgainWhatAnEarlierConnectionDidNotTake) {
  AppWindow window;
  window.Open();
  window.Give(1);
  window.Give(2);
  EXPECT_TRUE(window.Take(2));
  EXPECT_FALSE(window.WasGivenEarlier(1));
  EXPECT_TRUE(window.Close());
  EXPECT_FALSE(window.is_open());
  EXPECT_EQ(window.last_given(), 0u);
  EXPECT_FALSE(window.Take(1)) << "nobody holds it now";

  window.Open();
  EXPECT_TRUE(window.WasGivenEarlier(1));
  EXPECT_FALSE(window.WasGivenEarlier(3));
  EXPECT_TRUE(window.Give(1));
  EXPECT_FALSE(window.Give(2)) << "it was acknowledged, and is being written";
  EXPECT_EQ(window.last_given(), 2u) << "it is passed over";
  EXPECT_FALSE(window.Holds(2));
  window.Commit({2});
  EXPECT_EQ(window.room(), kAppWindowMessages - 1);
}

TEST(AppWindowTest, ClosingSaysWhetherSomethingWasHeld) {
  AppWindow window;
  window.Open();
  EXPECT_FALSE(window.Close());
  window.Open();
  window.Give(1);
  window.Take(1);
  window.Commit({1});
  EXPECT_FALSE(window.Close());
}

TEST(AppWindowTest, IsFullWithItsMessages) {
  AppWindow window;
  window.Open();
  for (uint64_t id = 1; id <= kAppWindowMessages; ++id) window.Give(id);
  EXPECT_EQ(window.room(), 0u);
  window.Take(7);
  EXPECT_EQ(window.room(), 0u);
  window.Commit({7});
  EXPECT_EQ(window.room(), 1u);
}

TEST(AppWindowTest, TheDiskIsToSayWhatWasGiven) {
  AppWindow window(10);
  EXPECT_EQ(window.given_up_to(), 10u);
  EXPECT_TRUE(window.WasGivenEarlier(10));
  EXPECT_FALSE(window.unwritten());
  window.Mark(9);
  EXPECT_FALSE(window.unwritten());
  window.Mark(12);
  EXPECT_TRUE(window.unwritten());
  EXPECT_EQ(window.marked_up_to(), 12u);
  EXPECT_EQ(window.given_up_to(), 10u) << "the mark runs ahead";
  window.OnWritten();
  window.Give(12);
  EXPECT_FALSE(window.unwritten());
  window.Give(13);
  EXPECT_TRUE(window.unwritten());
  window.OnWritten();
  window.OnWriteFailed();
  EXPECT_TRUE(window.unwritten());
}

}  // namespace
}  // namespace bellwire::agent
