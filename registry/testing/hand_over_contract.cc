// What a Store promises of hand-overs: what a commit makes deliverable goes to the session of the
// device's route, in the order of what happened. Part of StoreContractTest.

#include <string>
#include <vector>

#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

TEST_P(StoreContractTest, WhatIsCommittedIsHandedToTheSessionOfItsRoute) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  EXPECT_EQ(HandedOver(), Strings()) << "there is no session";
  Bind(Device(1), 1);
  ASSERT_TRUE(store().Append(token, Message(2), {}).ok());
  EXPECT_EQ(HandedOver(), Strings()) << "it is not durable yet";
  Commit();
  ASSERT_EQ(under_test_->handed_over.size(), 1u);
  const ConnectorRequest request = under_test_->handed_over[0];
  EXPECT_EQ(request.route().SerializeAsString(), RouteOf(1).SerializeAsString());
  EXPECT_EQ(request.device_id(), Device(1).bytes());
  const Envelope& message = request.deliver().message();
  EXPECT_EQ(message.seq(), 2u);
  EXPECT_EQ(message.message_id(), Id(2).bytes());
  EXPECT_EQ(message.registration_id(), token.registration_id);
  EXPECT_EQ(message.payload(), "payload 2");
  Commit();
  EXPECT_EQ(HandedOver(), (Strings{"2"})) << "once";
}

TEST_P(StoreContractTest, HandOversHaveTheOrderOfWhatHappened) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(2));
  Bind(Device(1), 1);
  Bind(Device(2), 1);
  for (uint32_t id = 1; id <= 6; ++id) {
    ASSERT_TRUE(store().Append(id % 2 == 0 ? token : other, Message(id), {}).ok());
  }
  ASSERT_TRUE(store().Recall(token, Id(2)).ok());
  ASSERT_TRUE(store().Append(token, Message(7), {}).ok());
  Commit();
  EXPECT_EQ(HandedOver(), (Strings{"1", "2", "3", "4", "5", "6", "recall 1", "7"}));
}

TEST_P(StoreContractTest, ALaterLoginIsHandedWhatComesAfterIt) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  ASSERT_TRUE(store().Append(token, Message(1), {}).ok());
  ASSERT_TRUE(store().Bind(Device(1), RouteOf(2), Wide(), {}).ok());
  ASSERT_TRUE(store().Append(token, Message(2), {}).ok());
  Commit();
  ASSERT_EQ(under_test_->handed_over.size(), 3u);
  EXPECT_EQ(under_test_->handed_over[0].route().login_number(), 1u);
  EXPECT_EQ(under_test_->handed_over[1].route().login_number(), 1u);
  EXPECT_EQ(under_test_->handed_over[2].route().login_number(), 2u);
  EXPECT_EQ(HandedOver(), (Strings{"1", "evicted by 2", "2"}));
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(2)).ok());
  under_test_->handed_over.clear();
  Append(token, Message(3));
  EXPECT_EQ(HandedOver(), Strings());
}

TEST_P(StoreContractTest, WhatWaitsForACommitStandsBetweenTheHandOvers) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  std::vector<size_t> handed_before;
  const auto note = [&](const absl::Status& committed) {
    EXPECT_TRUE(committed.ok());
    handed_before.push_back(under_test_->handed_over.size());
  };
  store().AfterCommit(note);
  ASSERT_TRUE(store().Append(token, Message(1), {}).ok());
  store().AfterCommit(note);
  ASSERT_TRUE(store().Append(token, Message(2), {}).ok());
  ASSERT_TRUE(store().Append(token, Message(3), {}).ok());
  store().AfterCommit(note);
  EXPECT_TRUE(handed_before.empty());
  Commit();
  EXPECT_EQ(handed_before, (std::vector<size_t>{0, 1, 3}));
  Commit();
  EXPECT_EQ(handed_before.size(), 3u);
}

TEST_P(StoreContractTest, AGapNoticeIsHandedOverBeforeTheMessageThatMadeIt) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Fill(token, 1, 100);
  clock().Advance(kHandOverGrace);
  HandedOver();
  Append(token, Message(101));
  EXPECT_EQ(HandedOver(), (Strings{"gap 1", "101"}));
}

TEST_P(StoreContractTest, OnlyANowOrNeverUnderWayIsHandedOverAgain) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Append(token, Message(1));
  Append(token, Message(2, absl::ZeroDuration()));
  EXPECT_EQ(HandedOver(), (Strings{"1", "2"}));
  EXPECT_TRUE(Append(token, Message(1)).duplicate);
  EXPECT_EQ(HandedOver(), Strings()) << "the mailbox has it";
  EXPECT_TRUE(Append(token, Message(2, absl::ZeroDuration())).duplicate);
  ASSERT_EQ(under_test_->handed_over.size(), 1u);
  EXPECT_EQ(under_test_->handed_over[0].deliver().message().seq(), 2u);
  EXPECT_EQ(HandedOver(), (Strings{"2"}));
  Ack(Device(1), {2});
  EXPECT_TRUE(Append(token, Message(2, absl::ZeroDuration())).duplicate);
  EXPECT_EQ(HandedOver(), Strings());
}

TEST_P(StoreContractTest, WhatIsOnlyCheckedIsNotHandedOver) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  ASSERT_TRUE(store().Append(token, Message(1), {.validate_only = true}).ok());
  Commit();
  EXPECT_EQ(HandedOver(), Strings());
}

}  // namespace
}  // namespace bellwire::registry
