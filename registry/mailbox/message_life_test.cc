#include "registry/mailbox/message_life.h"

#include <array>
#include <cstdint>

#include "common/ids.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

MessageLife Accepted() {
  MessageLife life;
  life.set_place(MessageLife::MAILBOX);
  life.set_accepted_at_ms(1000);
  life.set_expires_at_ms(61'000);
  AddReceipt(&life, push::v1::ACCEPTED, 1000, "");
  AddReceipt(&life, push::v1::STORED, 1001, "");
  return life;
}

internal::v1::Envelope Message() {
  internal::v1::Envelope message;
  message.set_payload("payload");
  message.set_collapse_key("key");
  message.set_priority(push::v1::PRIORITY_HIGH);
  message.set_accepted_at_ms(1000);
  message.set_expires_at_ms(61'000);
  return message;
}

TEST(MessageLifeTest, ATerminalReceiptEndsIt) {
  for (int step = push::v1::Step_MIN; step <= push::v1::Step_MAX; ++step) {
    if (step <= push::v1::STORED) continue;
    MessageLife life = Accepted();
    AddReceipt(&life, static_cast<push::v1::Step>(step), 2000, "why");
    EXPECT_EQ(life.place() == MessageLife::ENDED, IsTerminal(static_cast<push::v1::Step>(step)));
    EXPECT_EQ(StateOf(life), step);
    EXPECT_EQ(life.receipts(2).detail(), "why");
  }
}

TEST(MessageLifeTest, ReceiptsStayWithinTheirBound) {
  MessageLife life = Accepted();
  for (int i = 0; i < 1000; ++i) AddReceipt(&life, push::v1::SENT, 2000 + i, "");
  AddReceipt(&life, push::v1::AGENT_ACKED, 5000, "");
  AddReceipt(&life, push::v1::APP_ACKED, 6000, "");
  EXPECT_EQ(life.receipts_size(), kMaxReceiptsPerMessage);
  EXPECT_EQ(life.receipts(2).time_ms(), 2000);
  EXPECT_EQ(life.receipts(life.receipts_size() - 3).time_ms(), 2999);
}

TEST(MessageLifeTest, TheSameSentTwiceIsOne) {
  MessageLife life = Accepted();
  AddReceipt(&life, push::v1::SENT, 2000, "");
  AddReceipt(&life, push::v1::SENT, 2000, "");
  AddReceipt(&life, push::v1::SENT, 2001, "");
  EXPECT_EQ(life.receipts_size(), 4);
}

TEST(MessageLifeTest, WakesWhenSomethingIsDue) {
  MessageLife life = Accepted();
  EXPECT_EQ(NextWakeMs(life), 0);
  life.set_place(MessageLife::RECALLING);
  EXPECT_EQ(NextWakeMs(life), 61'000);
  EXPECT_EQ(LatestWakeMs(life), 61'000);
  life.set_place(MessageLife::NOW_OR_NEVER);
  EXPECT_EQ(NextWakeMs(life), 0);
  life.set_place(MessageLife::DEVICE);
  EXPECT_EQ(NextWakeMs(life), 61'000 + absl::ToInt64Milliseconds(kDeviceReportGrace));
  AddReceipt(&life, push::v1::APP_ACKED, 5000, "");
  EXPECT_EQ(NextWakeMs(life), 5000 + absl::ToInt64Milliseconds(kReceiptRetention));
  EXPECT_EQ(LatestWakeMs(life),
            NextWakeMs(life) + absl::ToInt64Milliseconds(kReceiptRetentionSlack));
}

TEST(MessageLifeTest, AMessageTellsItsLifeUntilSomethingHappensToIt) {
  internal::v1::Envelope mail = Message();
  mail.set_stored_at_ms(1003);
  mail.set_seq(7);
  mail.set_trace_context(std::string(25, 't'));
  const MessageLife life = NewLife(mail);
  EXPECT_EQ(life.trace_context(), mail.trace_context());
  EXPECT_EQ(life.place(), MessageLife::MAILBOX);
  EXPECT_EQ(life.seq(), 7);
  EXPECT_EQ(life.expires_at_ms(), 61'000);
  EXPECT_EQ(life.priority(), push::v1::PRIORITY_HIGH);
  EXPECT_TRUE(IsRetry(life, Message(), 2000));
  ASSERT_EQ(life.receipts_size(), 2);
  EXPECT_EQ(life.receipts(0).step(), push::v1::ACCEPTED);
  EXPECT_EQ(life.receipts(0).time_ms(), 1000);
  EXPECT_EQ(life.receipts(1).step(), push::v1::STORED);
  EXPECT_EQ(life.receipts(1).time_ms(), 1003);
  // What is not known is told apart from what was left open.
  mail.clear_priority();
  EXPECT_EQ(NewLife(mail).priority(), push::v1::PRIORITY_NORMAL);
  mail.set_deliver_at_ms(5000);
  EXPECT_EQ(NewLife(mail).place(), MessageLife::MAILBOX);
  EXPECT_EQ(NewLife(mail).deliver_at_ms(), 5000);
  mail.clear_seq();
  EXPECT_EQ(NewLife(mail).place(), MessageLife::SCHEDULED);
  mail.clear_deliver_at_ms();
  mail.set_expires_at_ms(mail.accepted_at_ms());
  mail.set_seq(8);
  EXPECT_EQ(NewLife(mail).place(), MessageLife::NOW_OR_NEVER);
}

TEST(MessageLifeTest, TheShortHashTakesAllOfTheId) {
  const auto id = [](size_t at) {
    std::array<uint8_t, 16> bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    if (at < bytes.size()) bytes[at] ^= 0x80;
    return MessageId(bytes);
  };
  for (size_t at = 0; at < 16; ++at) EXPECT_NE(ShortHash(id(at)), ShortHash(id(16))) << at;
}

TEST(MessageLifeTest, ARetryHasTheSameHash) {
  internal::v1::Envelope retry = Message();
  retry.set_accepted_at_ms(5000);
  retry.set_expires_at_ms(65'000);
  // Each attempt is a span of its own.
  retry.set_trace_context(std::string(25, 't'));
  EXPECT_EQ(ContentHash(retry), ContentHash(Message()));
}

TEST(MessageLifeTest, AnyOtherContentHasAnotherHash) {
  const std::string hash = ContentHash(Message());
  internal::v1::Envelope other = Message();
  other.set_payload("payloae");
  EXPECT_NE(ContentHash(other), hash);
  other = Message();
  other.set_payload("payloa");
  other.set_collapse_key("dkey");
  EXPECT_NE(ContentHash(other), hash);
  other = Message();
  other.set_priority(push::v1::PRIORITY_LOW);
  EXPECT_NE(ContentHash(other), hash);
  other = Message();
  other.set_expires_at_ms(61'001);
  EXPECT_NE(ContentHash(other), hash);
}

TEST(MessageLifeTest, ARetryOfAScheduledMessageIsOneBeforeItIsDueAndAfter) {
  internal::v1::Envelope message = Message();
  message.set_deliver_at_ms(10'000);
  message.set_expires_at_ms(70'000);
  MessageLife life = Accepted();
  life.set_deliver_at_ms(10'000);
  life.set_content_hash(ContentHash(message));
  EXPECT_TRUE(IsRetry(life, message, 5000));
  internal::v1::Envelope rescheduled = message;
  rescheduled.set_deliver_at_ms(20'000);
  rescheduled.set_expires_at_ms(80'000);
  EXPECT_FALSE(IsRetry(life, rescheduled, 5000));
  internal::v1::Envelope late = message;
  late.set_deliver_at_ms(0);
  late.set_accepted_at_ms(11'000);
  late.set_expires_at_ms(71'000);
  EXPECT_TRUE(IsRetry(life, late, 11'000));
  EXPECT_FALSE(IsRetry(life, late, 9000));
}

}  // namespace
}  // namespace bellwire::registry
