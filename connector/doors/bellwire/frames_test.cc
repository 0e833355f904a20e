#include "connector/doors/bellwire/frames.h"

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

// The body of the only frame in `bytes`, whose length takes one or two bytes.
device::v1::ConnectorFrame Parse(const std::string& bytes) {
  const size_t header = static_cast<uint8_t>(bytes[0]) < 0x80 ? 1 : 2;
  device::v1::ConnectorFrame frame;
  EXPECT_TRUE(frame.ParseFromString(bytes.substr(header)));
  return frame;
}

internal::v1::Envelope LargestMessage() {
  internal::v1::Envelope message;
  message.set_seq(UINT64_MAX);
  message.set_message_id(std::string(16, '\xff'));
  message.set_registration_id(UINT64_MAX);
  message.set_payload(std::string(kMaxPayloadBytes, 'p'));
  message.set_priority(push::v1::PRIORITY_LOW);
  message.set_collapse_key(std::string(kMaxCollapseKeyBytes, 'k'));
  message.set_accepted_at_ms(INT64_MAX);
  message.set_expires_at_ms(INT64_MAX);
  return message;
}

TEST(FramesTest, PushCarriesTheWholeMessage) {
  std::string bytes;
  AppendEnvelope(LargestMessage(), &bytes);
  EXPECT_LE(bytes.size(), kMaxFrameBytes);
  const device::v1::ConnectorFrame frame = Parse(bytes);
  ASSERT_TRUE(frame.has_push());
  EXPECT_EQ(frame.push().seq(), UINT64_MAX);
  EXPECT_EQ(frame.push().message_id(), std::string(16, '\xff'));
  EXPECT_EQ(frame.push().registration_id(), UINT64_MAX);
  EXPECT_EQ(frame.push().payload().size(), kMaxPayloadBytes);
  EXPECT_EQ(frame.push().priority(), device::v1::LOW);
  EXPECT_EQ(frame.push().collapse_key().size(), kMaxCollapseKeyBytes);
  EXPECT_EQ(frame.push().accepted_at_ms(), INT64_MAX);
  EXPECT_EQ(frame.push().expires_at_ms(), INT64_MAX);
}

TEST(FramesTest, PriorityIsNormalUnlessSaid) {
  internal::v1::Envelope message;
  std::string bytes;
  AppendEnvelope(message, &bytes);
  EXPECT_EQ(Parse(bytes).push().priority(), device::v1::NORMAL);
  bytes.clear();
  message.set_priority(push::v1::PRIORITY_HIGH);
  AppendEnvelope(message, &bytes);
  EXPECT_EQ(Parse(bytes).push().priority(), device::v1::HIGH);
}

TEST(FramesTest, GapNoticeBecomesAGap) {
  internal::v1::Envelope notice;
  notice.set_seq(9);
  notice.set_registration_id(4);
  notice.set_gap_dropped(100);
  std::string bytes;
  AppendEnvelope(notice, &bytes);
  const device::v1::ConnectorFrame frame = Parse(bytes);
  ASSERT_TRUE(frame.has_gap());
  EXPECT_EQ(frame.gap().seq(), 9u);
  EXPECT_EQ(frame.gap().registration_id(), 4u);
  EXPECT_EQ(frame.gap().dropped(), 100u);
}

TEST(FramesTest, EveryOutcomeHasItsStep) {
  using device::v1::AppAck;
  EXPECT_EQ(StepOf(AppAck::OUTCOME_UNSPECIFIED), push::v1::APP_ACKED);
  EXPECT_EQ(StepOf(AppAck::TAKEN), push::v1::APP_ACKED);
  EXPECT_EQ(StepOf(AppAck::EXPIRED), push::v1::EXPIRED);
  EXPECT_EQ(StepOf(AppAck::COLLAPSED), push::v1::COLLAPSED);
  EXPECT_EQ(StepOf(AppAck::RECALLED), push::v1::RECALLED);
  EXPECT_EQ(StepOf(AppAck::UNREGISTERED), push::v1::UNREGISTERED);
  EXPECT_EQ(StepOf(AppAck::OVERFLOWED), push::v1::OVERFLOWED);
  EXPECT_EQ(StepOf(static_cast<AppAck::Outcome>(99)), push::v1::APP_ACKED);
}

}  // namespace
}  // namespace bellwire::connector
