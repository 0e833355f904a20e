// What a Store promises of a mailbox that is full, and of messages that replace each other. Part of
// StoreContractTest.

#include <algorithm>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

TEST_P(StoreContractTest, DropOldestKeepsTheNewestAndTellsTheApp) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 101);
  Strings mail = Mailbox(Device(1));
  EXPECT_EQ(mail.size(), kMaxMailboxMessagesPerApp + 1);
  EXPECT_EQ(mail.front(), "2");
  EXPECT_EQ(mail[99], "gap 1");
  EXPECT_EQ(mail[100], "101");
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED OVERFLOWED");
  Fill(token, 102, 103);
  mail = Mailbox(Device(1));
  EXPECT_EQ(mail.size(), kMaxMailboxMessagesPerApp + 1) << "one notice, however many were dropped";
  EXPECT_EQ(mail[99], "gap 3");
  EXPECT_EQ(mail[100], "103");
}

TEST_P(StoreContractTest, TheLimitIsPerApp) {
  Fill(Register(Device(1), kApp), 1, 100);
  Fill(Register(Device(1), kApp2), 1, 100);
  EXPECT_EQ(Mailbox(Device(1)).size(), 200);
}

TEST_P(StoreContractTest, AnAcknowledgedGapNoticeIsGone) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 101);
  Ack(Device(1), {101});
  EXPECT_EQ(Mailbox(Device(1)).size(), 100);
  Fill(token, 102, 102);
  const Strings mail = Mailbox(Device(1));
  EXPECT_EQ(mail[99], "gap 1") << "the next one counts from the start";
}

TEST_P(StoreContractTest, RefuseNewestAnswersTheSenderAndTellsTheAppOnce) {
  PutApp("com.example.refuse", admin::v1::REFUSE_NEWEST);
  const TokenRef token = Register(Device(1), "com.example.refuse");
  Fill(token, 1, 100);
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = store().Append(token, Message(101), {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ErrorReason(status), "MAILBOX_FULL");
    EXPECT_TRUE(RetryAfter(status).has_value());
    Commit();
  }
  EXPECT_EQ(Steps(token, 101), "MESSAGE_NOT_FOUND");
  Restart();
  const Strings mail = Mailbox(Device(1));
  EXPECT_EQ(mail.size(), 101);
  EXPECT_EQ(mail.front(), "1");
  EXPECT_EQ(mail.back(), "gap 1");
  EXPECT_EQ(ErrorReason(store().Append(token, Message(101), {.validate_only = true}).status()),
            "MAILBOX_FULL");
  Ack(Device(1), {1});
  EXPECT_EQ(Append(token, Message(101)).seq, 102);
}

TEST_P(StoreContractTest, DropAllEmptiesTheMailboxAndTellsTheApp) {
  PutApp("com.example.all", admin::v1::DROP_ALL);
  const TokenRef token = Register(Device(1), "com.example.all");
  Fill(token, 1, 101);
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"gap 100", "101"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Steps(token, 100), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Bind(Device(1), 1).settled_seq, 100);
}

// The session has sent as many as its window holds, and the device may have them all.
TEST_P(StoreContractTest, AFullMailboxDropsNothingThatMayBeOnItsWay) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Fill(token, 1, 102);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Steps(token, 64), "ACCEPTED STORED");
  EXPECT_EQ(Steps(token, 65), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Steps(token, 66), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Steps(token, 67), "ACCEPTED STORED");
  // Soon the connector says which were sent. The others only wait.
  for (uint64_t seq = 1; seq <= 64; ++seq) {
    ASSERT_TRUE(store().ReportSent(Device(1), {{seq, clock().WallNow()}}).ok());
  }
  clock().Advance(kHandOverGrace);
  Fill(token, 103, 103);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT");
  EXPECT_EQ(Steps(token, 67), "ACCEPTED STORED OVERFLOWED");
  // Without a session nothing is on its way.
  ASSERT_TRUE(store().Unbind(Device(1), RouteOf(1)).ok());
  Fill(token, 104, 104);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT OVERFLOWED");
}

TEST_P(StoreContractTest, WhatWaitsForItsPriorityIsNotOnItsWay) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Fill(token, 1, 100);
  clock().Advance(kHandOverGrace);
  Fill(token, 101, 101);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED OVERFLOWED");
}

TEST_P(StoreContractTest, WhatAPageHoldsIsOnItsWay) {
  PutApp("com.example.all", admin::v1::DROP_ALL);
  const TokenRef token = Register(Device(1), "com.example.all");
  Fill(token, 1, 100);
  ASSERT_TRUE(
      store().Bind(Device(1), RouteOf(1), {.max_bytes = 1 << 20, .max_messages = 64}, {}).ok());
  Commit();
  ASSERT_TRUE(store().Pull(Device(1), 64, {.max_bytes = 1 << 20, .max_messages = 1}).ok());
  Commit();
  clock().Advance(kHandOverGrace - absl::Milliseconds(1));
  Fill(token, 101, 101);
  EXPECT_EQ(Steps(token, 64), "ACCEPTED STORED");
  // No more than a window can be.
  EXPECT_EQ(Steps(token, 65), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Steps(token, 100), "ACCEPTED STORED OVERFLOWED");
  EXPECT_EQ(Mailbox(Device(1)).size(), 64 + 1 + 1);
}

// Whoever adds up what the notices say knows how many were dropped.
TEST_P(StoreContractTest, EachDroppedMessageIsCountedInOneNotice) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Fill(token, 1, 101);
  clock().Advance(kHandOverGrace);
  // The device may have the notice of the first one by now.
  Fill(token, 102, 104);
  Strings mail = Mailbox(Device(1));
  EXPECT_EQ(
      std::count_if(mail.begin(), mail.end(), [](const std::string& m) { return m[0] == 'g'; }), 1);
  EXPECT_NE(std::find(mail.begin(), mail.end(), "gap 1"), mail.end());
  // Nor does the next session change what it says.
  Bind(Device(1), 2);
  Fill(token, 105, 105);
  Restart();
  under_test_->handed_over.clear();
  Ack(Device(1), {101});
  mail = Mailbox(Device(1));
  EXPECT_EQ(mail.back(), "gap 4") << "the rest has a notice of its own";
  ASSERT_EQ(under_test_->handed_over.size(), 1u) << "and the session is told";
  const ConnectorRequest& told = under_test_->handed_over[0];
  EXPECT_EQ(told.deliver().message().gap_dropped(), 4u);
  EXPECT_EQ(told.route().login_number(), 2u);
  Ack(Device(1), {told.deliver().message().seq()});
  mail = Mailbox(Device(1));
  EXPECT_EQ(
      std::count_if(mail.begin(), mail.end(), [](const std::string& m) { return m[0] == 'g'; }), 0);
}

TEST_P(StoreContractTest, AFullMailboxLosesExpiredMessagesFirst) {
  PutApp("com.example.refuse", admin::v1::REFUSE_NEWEST);
  const TokenRef token = Register(Device(1), "com.example.refuse");
  for (uint32_t id = 1; id <= 100; ++id) {
    Append(token, Message(id, id % 2 == 0 ? absl::Hours(1) : absl::Seconds(10)));
  }
  clock().Advance(absl::Seconds(20));
  Append(token, Message(101));
  EXPECT_EQ(Mailbox(Device(1)).size(), 51);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
}

TEST_P(StoreContractTest, RemovingAnAppTakesItsGapNoticeToo) {
  const TokenRef token = Register(Device(1));
  Fill(token, 1, 101);
  ASSERT_TRUE(store().RemoveApp(Device(1), kApp, 0).ok());
  EXPECT_EQ(Mailbox(Device(1)), Strings{});
  EXPECT_EQ(Bind(Device(1), 1).settled_seq, 102);
}

TEST_P(StoreContractTest, ANewerMessageReplacesThePendingOneOfItsCollapseKey) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(1), kApp2);
  for (uint32_t id = 1; id <= 4; ++id) {
    Envelope message = Message(id);
    if (id != 2) message.set_collapse_key(id == 3 ? "b" : "a");
    Append(id == 4 ? other : token, message);
  }
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1", "2", "3", "4"}));
  Envelope newer = Message(5);
  newer.set_collapse_key("a");
  EXPECT_EQ(Append(token, newer).seq, 5);
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2", "3", "4", "5"}));
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED COLLAPSED");
  // One that the device has is not replaced here.
  Ack(Device(1), {5});
  Envelope newest = Message(6);
  newest.set_collapse_key("a");
  Append(token, newest);
  EXPECT_EQ(Steps(token, 5), "ACCEPTED STORED SENT AGENT_ACKED");
}

TEST_P(StoreContractTest, CollapsingMakesRoom) {
  const TokenRef token = Register(Device(1));
  Envelope first = Message(1);
  first.set_collapse_key("a");
  Append(token, first);
  Fill(token, 2, 100);
  Envelope newer = Message(101);
  newer.set_collapse_key("a");
  Append(token, newer);
  EXPECT_EQ(Mailbox(Device(1)).size(), 100);
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED");
}

}  // namespace
}  // namespace bellwire::registry
