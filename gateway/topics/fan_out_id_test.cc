#include "gateway/topics/fan_out_id.h"

#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

MessageId Message(const char* uuid) { return *ParseUuid(uuid); }

TEST(FanOutIdTest, StaysWhatItIs) {
  const MessageId message = Message("0c6a2f0c-8a3a-4b3b-a6a5-0d7d3a4d3f11");
  const DeviceId device = *DeviceId::FromBytes("0123456789abcdef");
  EXPECT_EQ(FormatUuid(FanOutMessageId(message, device, 42)),
            "2b0eac59-ce47-8d4f-85d4-d53d377b9b41");
}

TEST(FanOutIdTest, DiffersWithEachOfTheThree) {
  const MessageId message = Message("0c6a2f0c-8a3a-4b3b-a6a5-0d7d3a4d3f11");
  const DeviceId device = *DeviceId::FromBytes("0123456789abcdef");
  const MessageId id = FanOutMessageId(message, device, 42);
  EXPECT_NE(id, FanOutMessageId(message, device, 43));
  EXPECT_NE(id, FanOutMessageId(message, *DeviceId::FromBytes("0123456789abcdeg"), 42));
  EXPECT_NE(id, FanOutMessageId(Message("0c6a2f0c-8a3a-4b3b-a6a5-0d7d3a4d3f12"), device, 42));
}

}  // namespace
}  // namespace bellwire::gateway
