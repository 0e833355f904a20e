#include "registry/server/waiting_routes.h"

#include <array>
#include <string>
#include <vector>

#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DeviceId Device(size_t n) {
  return DeviceId(
      std::array<uint8_t, 16>{static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n & 0xff)});
}

internal::v1::Route Login(uint64_t number) {
  internal::v1::Route route;
  route.set_login_number(number);
  return route;
}

class WaitingRoutesTest : public testing::Test {
 protected:
  // The login numbers that are staged.
  std::vector<uint64_t> Stage(size_t max) {
    std::vector<uint64_t> staged;
    const absl::Status status =
        routes_.Stage(max, [&](const DeviceId& device, const internal::v1::Route& route) {
          EXPECT_EQ(routes_.Find(device)->login_number(), route.login_number());
          staged.push_back(route.login_number());
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return staged;
  }

  WaitingRoutes routes_;
};

TEST_F(WaitingRoutesTest, TheOldestAreStagedFirstAndStayUntilTheCommit) {
  for (size_t n = 1; n <= 5; ++n) ASSERT_TRUE(routes_.Add(Device(n), Login(n)));
  EXPECT_THAT(Stage(2), ElementsAre(1, 2));
  EXPECT_THAT(Stage(1), ElementsAre(3)) << "of the same commit";
  EXPECT_EQ(routes_.unstaged(), 2);
  ASSERT_NE(routes_.Find(Device(1)), nullptr);
  routes_.OnCommitted();
  EXPECT_EQ(routes_.Find(Device(1)), nullptr);
  EXPECT_EQ(routes_.Find(Device(3)), nullptr);
  EXPECT_THAT(Stage(100), ElementsAre(4, 5));
  routes_.OnCommitted();
  EXPECT_THAT(Stage(100), IsEmpty());
}

TEST_F(WaitingRoutesTest, WhatAFailedCommitHadIsStagedAgain) {
  for (size_t n = 1; n <= 3; ++n) ASSERT_TRUE(routes_.Add(Device(n), Login(n)));
  EXPECT_THAT(Stage(2), ElementsAre(1, 2));
  routes_.OnCommitFailed();
  EXPECT_THAT(Stage(3), ElementsAre(1, 2, 3));
}

TEST_F(WaitingRoutesTest, ALoginThatComesWhileTheOneBeforeItIsWrittenStays) {
  ASSERT_TRUE(routes_.Add(Device(1), Login(7)));
  EXPECT_THAT(Stage(1), ElementsAre(7));
  ASSERT_TRUE(routes_.Add(Device(1), Login(8)));
  routes_.OnCommitted();
  ASSERT_NE(routes_.Find(Device(1)), nullptr);
  EXPECT_EQ(routes_.Find(Device(1))->login_number(), 8);
  EXPECT_THAT(Stage(1), ElementsAre(8));
}

TEST_F(WaitingRoutesTest, AnErrorEndsIt) {
  for (size_t n = 1; n <= 3; ++n) ASSERT_TRUE(routes_.Add(Device(n), Login(n)));
  const absl::Status status =
      routes_.Stage(3, [](const DeviceId& device, const internal::v1::Route&) {
        return device == Device(2) ? absl::UnavailableError("") : absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsUnavailable(status));
  routes_.OnCommitted();
  EXPECT_THAT(Stage(3), ElementsAre(2, 3));
}

TEST_F(WaitingRoutesTest, HasABound) {
  for (size_t n = 1; n <= kMaxWaitingRoutes; ++n) ASSERT_TRUE(routes_.Add(Device(n), Login(n)));
  EXPECT_FALSE(routes_.Add(Device(kMaxWaitingRoutes + 1), Login(1)));
  EXPECT_EQ(routes_.Find(Device(kMaxWaitingRoutes + 1)), nullptr);
  EXPECT_TRUE(routes_.Add(Device(1), Login(kMaxWaitingRoutes + 1))) << "in place of its own";
  Stage(1);
  routes_.OnCommitted();
  EXPECT_TRUE(routes_.Add(Device(kMaxWaitingRoutes + 1), Login(1)));
}

}  // namespace
}  // namespace bellwire::registry
