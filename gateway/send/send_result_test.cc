#include "gateway/send/send_result.h"

#include "absl/time/time.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(SendResultTest, CarriesTheResponse) {
  push::v1::SendResponse response;
  response.set_outcome(push::v1::SendResponse::DELIVERED);
  const push::v1::SendResult result = ToSendResult(response);
  ASSERT_TRUE(result.has_response());
  EXPECT_EQ(result.response().outcome(), push::v1::SendResponse::DELIVERED);
}

TEST(SendResultTest, CarriesEverythingOfAnError) {
  const absl::Status status = WithRetryAfter(
      WithMetadata(
          WithField(MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "It is gone."), "token"),
          "unregistered_at", "2026-01-01T00:00:00.25Z"),
      absl::Milliseconds(1500));
  const push::v1::SendResult result = ToSendResult(status);
  ASSERT_TRUE(result.has_error());
  const push::v1::SendError& error = result.error();
  EXPECT_EQ(error.code(), 5);
  EXPECT_EQ(error.reason(), "UNREGISTERED");
  EXPECT_EQ(error.message(), "It is gone.");
  EXPECT_EQ(error.field(), "token");
  EXPECT_EQ(error.retry_after().seconds(), 1);
  EXPECT_EQ(error.retry_after().nanos(), 500'000'000);
  EXPECT_EQ(error.unregistered_at().seconds(), 1'767'225'600);
  EXPECT_EQ(error.unregistered_at().nanos(), 250'000'000);
}

TEST(SendResultTest, LeavesOutWhatTheErrorHasNot) {
  const push::v1::SendError error = ToSendError(absl::InternalError("x"));
  EXPECT_EQ(error.reason(), "");
  EXPECT_FALSE(error.has_retry_after());
  EXPECT_FALSE(error.has_unregistered_at());
  EXPECT_EQ(error.field(), "");
}

TEST(SendResultTest, AnUnreadableTimeIsLeftOut) {
  const push::v1::SendError error = ToSendError(WithMetadata(
      MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "x"), "unregistered_at", "yesterday"));
  EXPECT_FALSE(error.has_unregistered_at());
}

}  // namespace
}  // namespace bellwire::gateway
