// What a Store promises of messages with a deliver_at. Part of StoreContractTest.

#include <string>
#include <vector>

#include "google/protobuf/util/time_util.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

Envelope ScheduledAt(Envelope message, int64_t deliver_at_ms) {
  message.set_deliver_at_ms(deliver_at_ms);
  message.set_expires_at_ms(deliver_at_ms + 3'600'000);
  return message;
}

TEST_P(StoreContractTest, AScheduledMessageTakesItsPlaceWhenItIsDue) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  const AppendResult scheduled = Append(token, ScheduledAt(Message(1), NowMs() + 60'000));
  EXPECT_EQ(scheduled.seq, 0);
  EXPECT_EQ(scheduled.state, push::v1::STORED);
  EXPECT_EQ(Append(token, Message(2)).seq, 1);
  EXPECT_EQ(HandedOver(), (Strings{"2"}));
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
  clock().Advance(absl::Seconds(59));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
  EXPECT_EQ(HandedOver(), Strings());
  Restart();
  clock().Advance(absl::Seconds(1));
  Sweep();
  ASSERT_EQ(under_test_->handed_over.size(), 1);
  const ConnectorRequest& due = under_test_->handed_over[0];
  EXPECT_EQ(due.device_id(), Device(1).bytes());
  EXPECT_EQ(due.route().login_number(), 1);
  EXPECT_EQ(due.deliver().message().seq(), 2);
  EXPECT_EQ(due.deliver().message().payload(), "payload 1");
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2", "1"}));
  EXPECT_EQ(store().GetMessage(token, Id(1))->state(), push::v1::STORED);
  Ack(Device(1), {2});
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED SENT AGENT_ACKED");
}

TEST_P(StoreContractTest, AMessageSaysWhenItGoesAndHowUrgentItIsForItsWholeLife) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Envelope scheduled = ScheduledAt(Message(1), NowMs() + 60'000);
  scheduled.set_priority(push::v1::PRIORITY_LOW);
  const int64_t deliver_at_ms = scheduled.deliver_at_ms();
  Append(token, scheduled);
  Append(token, Message(2));
  const auto expect_both = [&] {
    const auto first = store().GetMessage(token, Id(1));
    EXPECT_EQ(first->priority(), push::v1::PRIORITY_LOW);
    EXPECT_EQ(google::protobuf::util::TimeUtil::TimestampToMilliseconds(first->deliver_at()),
              deliver_at_ms);
    const auto second = store().GetMessage(token, Id(2));
    EXPECT_EQ(second->priority(), push::v1::PRIORITY_NORMAL);
    EXPECT_FALSE(second->has_deliver_at());
  };
  expect_both();
  clock().Advance(absl::Minutes(1));
  Sweep();
  Ack(Device(1), {1, 2});
  expect_both();
}

TEST_P(StoreContractTest, ALoginThatEndsAnOverdueMessageIsWrittenWithIt) {
  const TokenRef token = Register(Device(1));
  Append(token, ScheduledAt(Message(1), NowMs() + 60'000));
  clock().Advance(absl::Hours(2));
  EXPECT_TRUE(Bind(Device(1), 1).page.messages.empty());
  Restart();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
  EXPECT_TRUE(Append(token, Message(2)).route.has_value());
}

TEST_P(StoreContractTest, WhatIsDueComesIntoPagesEvenIfNobodySweeps) {
  const TokenRef token = Register(Device(1));
  for (uint32_t id = 1; id <= 3; ++id) {
    Append(token, ScheduledAt(Message(id), NowMs() + 40'000 - 10'000 * id));
  }
  clock().Advance(absl::Seconds(20));
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"3", "2"})) << "in the order of deliver_at";
  EXPECT_EQ(HandedOver(), Strings()) << "no session to hand it to";
  clock().Advance(absl::Seconds(20));
  EXPECT_EQ(Append(token, Message(4)).seq, 4) << "what is due goes first";
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"3", "2", "1", "4"}));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"3", "2", "1", "4"}));
}

TEST_P(StoreContractTest, ManyMessagesThatAreDueAtOnceAllCome) {
  const TokenRef token = Register(Device(1));
  for (uint32_t id = 1; id <= 100; ++id) Append(token, ScheduledAt(Message(id), NowMs() + 1000));
  clock().Advance(absl::Seconds(1));
  Sweep();
  EXPECT_EQ(store().Pull(Device(1), 0, Wide())->messages.size(), 100);
}

TEST_P(StoreContractTest, AScheduledMessageExpiresCountingFromItsTime) {
  const TokenRef token = Register(Device(1));
  Append(token, ScheduledAt(Message(1), NowMs() + 60'000));
  clock().Advance(absl::Seconds(60) + absl::Hours(1) - absl::Seconds(1));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"1"}));
  clock().Advance(absl::Seconds(1));
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED EXPIRED");
}

TEST_P(StoreContractTest, ScheduledMessagesHoldTheirPlacesAndGoLast) {
  const TokenRef token = Register(Device(1));
  Append(token, ScheduledAt(Message(1), NowMs() + 60'000));
  Fill(token, 2, 101);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED");
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED OVERFLOWED");
  clock().Advance(absl::Seconds(60));
  EXPECT_EQ(Mailbox(Device(1)).back(), "1");
}

TEST_P(StoreContractTest, ACollapseKeyReplacesAScheduledMessageToo) {
  const TokenRef token = Register(Device(1));
  Envelope reminder = ScheduledAt(Message(1), NowMs() + 60'000);
  reminder.set_collapse_key("meeting");
  Append(token, reminder);
  Envelope moved = ScheduledAt(Message(2), NowMs() + 90'000);
  moved.set_collapse_key("meeting");
  Append(token, moved);
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED COLLAPSED");
  clock().Advance(absl::Seconds(120));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), (Strings{"2"}));
}

}  // namespace
}  // namespace bellwire::registry
