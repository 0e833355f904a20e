#include "common/error.h"

#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(ErrorTest, CarriesWhatAProgramNeeds) {
  absl::Status status =
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED", "too many messages");
  status = WithRetryAfter(status, absl::Milliseconds(1500));
  status = WithField(status, "token");
  status = WithMetadata(status, "app_id", "com.example.mail");
  EXPECT_EQ(status.message(), "too many messages");
  EXPECT_EQ(ErrorReason(status), "QUOTA_EXCEEDED");
  EXPECT_EQ(RetryAfter(status), absl::Milliseconds(1500));
  EXPECT_EQ(ErrorField(status), "token");
  EXPECT_EQ(ErrorMetadata(status, "app_id"), "com.example.mail");
  EXPECT_EQ(AllErrorMetadata(status).size(), 1);
}

TEST(ErrorTest, APlainStatusHasNone) {
  const absl::Status status = absl::InternalError("x");
  EXPECT_EQ(ErrorReason(status), "");
  EXPECT_FALSE(RetryAfter(status));
  EXPECT_FALSE(ErrorField(status));
  EXPECT_FALSE(ErrorMetadata(status, "app_id"));
}

}  // namespace
}  // namespace bellwire
