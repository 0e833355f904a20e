#include "device-agent/client/handled_deliveries.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

class HandledDeliveriesTest : public testing::Test {
 protected:
  HandledDeliveriesTest() { handled_.Enter("inbox"); }

  // Whether the app is given it, and handles it.
  bool Takes(uint64_t delivery_id, absl::string_view message_id = "message") {
    if (handled_.Give(delivery_id, message_id)) return false;
    handled_.Handle(delivery_id);
    return true;
  }

  HandledDeliveries handled_;
};

TEST_F(HandledDeliveriesTest, RemembersTheLastOnes) {
  for (uint64_t id = 1; id <= HandledDeliveries::kCapacity + 1; ++id) EXPECT_TRUE(Takes(id));
  EXPECT_FALSE(Takes(2));
  EXPECT_FALSE(Takes(HandledDeliveries::kCapacity + 1));
  EXPECT_TRUE(Takes(1)) << "so many others came since";
}

TEST_F(HandledDeliveriesTest, WhatIsGivenAndNotHandledIsGivenAgain) {
  EXPECT_FALSE(handled_.Give(7, "message"));
  EXPECT_FALSE(handled_.Give(7, "message"));
  handled_.Handle(7);
  EXPECT_TRUE(handled_.Give(7, "message"));
}

TEST_F(HandledDeliveriesTest, OneThatWaitsLongForTheAppIsRememberedOnceHandled) {
  EXPECT_FALSE(handled_.Give(1, "slow"));
  for (uint64_t id = 2; id <= HandledDeliveries::kCapacity; ++id) Takes(id);
  handled_.Handle(1);
  EXPECT_TRUE(handled_.Give(1, "slow"));
}

// An agent whose state was put back gives ids again.
TEST_F(HandledDeliveriesTest, AnotherMessageUnderAHandledIdIsNew) {
  EXPECT_TRUE(Takes(7, "first"));
  EXPECT_TRUE(Takes(7, "second"));
  EXPECT_FALSE(Takes(7, "second"));
}

TEST_F(HandledDeliveriesTest, AMessageThatWasHandledStaysSoInAnInboxWithAnotherName) {
  EXPECT_TRUE(Takes(7));
  handled_.Enter("the same, put back");
  EXPECT_FALSE(Takes(7));
}

TEST_F(HandledDeliveriesTest, AGapIsOfItsInbox) {
  EXPECT_TRUE(Takes(7, ""));
  EXPECT_FALSE(Takes(7, ""));
  handled_.Enter("other");
  EXPECT_TRUE(Takes(7, ""));
}

TEST_F(HandledDeliveriesTest, WhatIsGivenIsBounded) {
  for (uint64_t id = 1; id <= 2 * HandledDeliveries::kCapacity; ++id) handled_.Give(id, "message");
  handled_.Handle(1);
  EXPECT_FALSE(handled_.Give(1, "message")) << "forgotten";
}

}  // namespace
}  // namespace bellwire::agent
