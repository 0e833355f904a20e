// What a Store promises of a mailbox that is full, and of messages that replace each other. Part of StoreContractTest.

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
