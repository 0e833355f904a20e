#include "gateway/send/batch_check.h"

#include <string>

#include "bellwire/push/v1/push.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

absl::Status Check(const std::string& bytes, int block = -1) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()),
                                                block);
  return CheckBatch(&stream);
}

std::string BatchOf(size_t messages) {
  push::v1::SendBatchRequest batch;
  for (size_t i = 0; i < messages; ++i) {
    push::v1::SendRequest& request = *batch.add_requests();
    request.set_token(std::string(kMaxTokenChars, 'a'));
    request.set_payload(std::string(kMaxPayloadBytes, 'p'));
    request.set_message_id("123e4567-e89b-42d3-a456-426614174000");
    request.set_collapse_key(std::string(kMaxCollapseKeyBytes, 'c'));
    request.mutable_ttl()->set_seconds(60);
    request.mutable_deliver_at()->set_seconds(60);
    request.set_priority(push::v1::PRIORITY_HIGH);
    request.set_validate_only(true);
  }
  return batch.SerializeAsString();
}

TEST(BatchCheckTest, TakesEveryLegalBatch) {
  EXPECT_TRUE(Check(BatchOf(1)).ok());
  const std::string largest = BatchOf(kMaxBatchMessages);
  EXPECT_LE(largest.size(), static_cast<size_t>(kMaxProviderRequestBytes));
  EXPECT_TRUE(Check(largest).ok());
  // In whatever pieces it comes.
  EXPECT_TRUE(Check(largest, 1000).ok());
}

TEST(BatchCheckTest, CountsMessagesWithoutParsingThem) {
  EXPECT_EQ(ErrorReason(Check("")), "BATCH_EMPTY");
  const absl::Status status = Check(BatchOf(kMaxBatchMessages + 1));
  EXPECT_EQ(ErrorReason(status), "BATCH_TOO_LARGE");
  EXPECT_EQ(ErrorField(status), "requests");
  std::string empty_messages;
  for (int i = 0; i < 3'000'000; ++i) empty_messages.append("\x0a\x00", 2);
  const absl::Status millions = Check(empty_messages);
  EXPECT_EQ(ErrorReason(millions), "BATCH_TOO_LARGE");
  EXPECT_NE(millions.message().find("has 3000000 messages"), absl::string_view::npos) << millions;
}

// Unknown fields are kept by a parser, each in a piece of memory of its own.
TEST(BatchCheckTest, BoundsTheFieldsOfAMessageAndOfTheBatch) {
  std::string unknown;
  for (size_t i = 0; i < kMaxFieldsPerMessage; ++i) unknown.append("\x78\x01", 2);
  const auto message = [](const std::string& fields) {
    push::v1::SendBatchRequest batch;
    EXPECT_TRUE(batch.add_requests()->ParseFromString(fields));
    return batch.SerializeAsString();
  };
  EXPECT_TRUE(Check(message(unknown)).ok());
  EXPECT_TRUE(Check(unknown + message("")).ok());
  unknown.append("\x78\x01", 2);
  EXPECT_EQ(ErrorReason(Check(message(unknown))), "TOO_MANY_FIELDS");
  EXPECT_EQ(ErrorReason(Check(unknown + message(""))), "TOO_MANY_FIELDS");
}

TEST(BatchCheckTest, RefusesWhatIsNoBatch) {
  const std::string batch = BatchOf(2);
  for (const std::string& bytes :
       {std::string("\x0a"), std::string("\x0a\x05"), std::string("\x0a\xff\xff\xff\xff\x0f"),
        std::string("\0", 1), std::string("\xff"), batch.substr(0, batch.size() - 1),
        // An end of a group that nobody began, and a message that is longer than what holds it.
        std::string("\x0c"), std::string("\x0a\x02\x0a\x05")}) {
    EXPECT_EQ(ErrorReason(Check(bytes)), "MALFORMED_REQUEST")
        << absl::string_view(bytes).substr(0, 9);
  }
}

}  // namespace
}  // namespace bellwire::gateway
