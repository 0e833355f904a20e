// What every store promises about messages that are taken back. Part of StoreContractTest.

#include <string>
#include <vector>

#include "common/error.h"
#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

using push::v1::RecallResponse;

TEST_P(StoreContractTest, WhatCannotHaveReachedTheDeviceIsRecalled) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Envelope scheduled = Message(2);
  scheduled.set_deliver_at_ms(NowMs() + 60'000);
  scheduled.set_expires_at_ms(NowMs() + 120'000);
  Append(token, scheduled);
  EXPECT_EQ(store().Recall(token, Id(1))->outcome, RecallResponse::RECALLED);
  EXPECT_EQ(store().Recall(token, Id(2))->outcome, RecallResponse::RECALLED);
  Commit();
  Restart();
  EXPECT_EQ(store().Recall(token, Id(1))->outcome, RecallResponse::TOO_LATE);
  EXPECT_EQ(ErrorReason(store().Recall(token, Id(3)).status()), "MESSAGE_NOT_FOUND");
  clock().Advance(absl::Seconds(60));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED RECALLED");
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED RECALLED");
}

TEST_P(StoreContractTest, WhatMayBeOnItsWayIsNotServedAgainAndTheDeviceIsAsked) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Fill(token, 1, 3);
  const RecallResult result = *store().Recall(token, Id(1));
  EXPECT_EQ(result.outcome, RecallResponse::REQUESTED);
  ASSERT_TRUE(result.route.has_value());
  EXPECT_EQ(result.route->login_number(), 1);
  EXPECT_EQ(store().Recall(token, Id(2))->outcome, RecallResponse::REQUESTED);
  EXPECT_EQ(store().Recall(token, Id(3))->outcome, RecallResponse::REQUESTED);
  Commit();
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  // The agent dropped it; the app had it already; nobody says anything.
  AppAck(token, 1, push::v1::RECALLED);
  AppAck(token, 2, push::v1::APP_ACKED);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED RECALLED");
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
  clock().Advance(absl::Hours(1));
  Sweep();
  EXPECT_EQ(Steps(token, 3), "ACCEPTED STORED EXPIRED");
}

TEST_P(StoreContractTest, ASentMessageOfAnAbsentDeviceMayBeOnIt) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  ASSERT_TRUE(store().ReportSent(Device(1), {{1, clock().WallNow()}}).ok());
  const RecallResult result = *store().Recall(token, Id(1));
  EXPECT_EQ(result.outcome, RecallResponse::REQUESTED);
  EXPECT_FALSE(result.route.has_value());
}

TEST_P(StoreContractTest, WhatAnEndedSessionMayHaveSentMayBeOnTheDevice) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Append(token, Message(1));
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(1)).ok());
  Append(token, Message(2));
  Commit();
  // Nobody said SENT, but the phone may have it on its disk.
  EXPECT_EQ(store().Recall(token, Id(1))->outcome, RecallResponse::REQUESTED);
  EXPECT_EQ(store().Recall(token, Id(2))->outcome, RecallResponse::RECALLED);
}

TEST_P(StoreContractTest, EachSessionHearsOfARecallUntilTheDeviceAnswers) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(1), kApp2);
  EXPECT_TRUE(Bind(Device(1), 1).recalls.empty());
  Fill(token, 1, 3);
  Append(other, Message(1));
  Ack(Device(1), {1});
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(1)).ok());
  // Away: 1 is on the phone, 2 may be.
  const RecallResult result = *store().Recall(token, Id(1));
  EXPECT_EQ(result.outcome, RecallResponse::REQUESTED);
  EXPECT_EQ(result.seq, 1);
  EXPECT_EQ(store().Recall(token, Id(2))->outcome, RecallResponse::REQUESTED);
  // Again is no news.
  EXPECT_EQ(store().Recall(token, Id(2))->outcome, RecallResponse::REQUESTED);
  Commit();
  Restart();
  for (const uint64_t login : {2, 3}) {
    const BindResult bound = Bind(Device(1), login);
    ASSERT_EQ(bound.recalls.size(), 2);
    EXPECT_EQ(bound.recalls[0].message_id, Id(1));
    EXPECT_EQ(bound.recalls[0].registration_id, token.registration_id);
    EXPECT_EQ(bound.recalls[0].seq, 1);
    EXPECT_EQ(bound.recalls[1].message_id, Id(2));
    EXPECT_EQ(bound.recalls[1].seq, 2);
    // What was taken back is in no page.
    ASSERT_EQ(bound.page.messages.size(), 2);
    EXPECT_EQ(bound.page.messages[0].seq(), 3);
  }
  AppAck(token, 1, push::v1::RECALLED);
  EXPECT_EQ(Bind(Device(1), 4).recalls.size(), 1);
  // The app had it before the agent heard of the recall: the first end stands.
  AppAck(token, 2, push::v1::APP_ACKED);
  AppAck(token, 2, push::v1::RECALLED);
  EXPECT_TRUE(Bind(Device(1), 5).recalls.empty());
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED RECALLED");
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED AGENT_ACKED APP_ACKED");
}

TEST_P(StoreContractTest, ARecallNoticeEndsWithItsMessage) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Append(token, Message(1));
  ASSERT_TRUE(store().Recall(token, Id(1)).ok());
  EXPECT_EQ(Bind(Device(1), 2).recalls.size(), 1);
  clock().Advance(absl::Hours(1));
  Sweep();
  EXPECT_TRUE(Bind(Device(1), 3).recalls.empty());
  // RECALLED would say that no app has it.
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
  // Too late, and no second end.
  AppAck(token, 1, push::v1::APP_ACKED);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
}

// The agent tells by the number whether it has had the message: what a Welcome calls settled counts
// as had, and the recall would never be answered.
TEST_P(StoreContractTest, WhatIsUnderRecallIsNotSettled) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Fill(token, 1, 4);
  Ack(Device(1), {1, 4});
  ASSERT_TRUE(store().Recall(token, Id(2)).ok());
  // The device has this one: its number may be settled.
  ASSERT_TRUE(store().Recall(token, Id(4)).ok());
  Ack(Device(1), {3});
  Commit();
  Restart();
  BindResult bound = Bind(Device(1), 2);
  EXPECT_EQ(bound.settled_seq, 1);
  EXPECT_EQ(bound.recalls.size(), 2);
  EXPECT_TRUE(bound.page.messages.empty());
  Fill(token, 5, 5);
  EXPECT_EQ(Bind(Device(1), 3).settled_seq, 1);
  AppAck(token, 2, push::v1::RECALLED);
  EXPECT_EQ(Bind(Device(1), 4).settled_seq, 4);
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED RECALLED");
}

TEST_P(StoreContractTest, RecallsThatWaitForADeviceAreBounded) {
  const TokenRef token = Register(Device(1));
  uint64_t seq = 0;
  for (uint32_t id = 1; id <= kMaxRecallNotices + 1; ++id) {
    seq = Append(token, Message(id)).seq;
    Ack(Device(1), {seq});
    if (id > kMaxRecallNotices) break;
    ASSERT_TRUE(store().Recall(token, Id(id)).ok()) << id;
  }
  Commit();
  const uint32_t last = kMaxRecallNotices + 1;
  EXPECT_EQ(ErrorReason(store().Recall(token, Id(last)).status()), "LIMIT_REACHED");
  EXPECT_EQ(Bind(Device(1), 1).recalls.size(), kMaxRecallNotices);
  AppAck(token, 1, push::v1::RECALLED);
  EXPECT_EQ(store().Recall(token, Id(last))->outcome, RecallResponse::REQUESTED);
  EXPECT_EQ(Bind(Device(1), 2).recalls.size(), kMaxRecallNotices);
}

TEST_P(StoreContractTest, AnAcknowledgedMessageCanStillBeAskedBack) {
  const TokenRef token = Register(Device(1));
  Append(token, Message(1));
  Ack(Device(1), {1});
  EXPECT_EQ(store().Recall(token, Id(1))->outcome, RecallResponse::REQUESTED);
  AppAck(token, 1);
  EXPECT_EQ(store().Recall(token, Id(1))->outcome, RecallResponse::TOO_LATE);
}

}  // namespace
}  // namespace bellwire::registry
