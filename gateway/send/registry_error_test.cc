#include "gateway/send/registry_error.h"

#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(RegistryErrorTest, ListedReasonsPassWithTheirParticulars) {
  const absl::Status status =
      FromRegistryError(WithMetadata(MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "gone"),
                                     "unregistered_at", "2026-01-01T00:00:00Z"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(status), "UNREGISTERED");
  EXPECT_EQ(ErrorMetadata(status, "unregistered_at").value_or(""), "2026-01-01T00:00:00Z");
}

TEST(RegistryErrorTest, AnUnreachableRegistryIsOneReason) {
  for (const absl::Status& status :
       {absl::UnavailableError("connection refused"), absl::DeadlineExceededError("slow"),
        absl::CancelledError("gone"),
        MakeError(absl::StatusCode::kUnavailable, "STORE_FAILED", "disk full"),
        MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "not reachable")}) {
    const absl::Status answered = FromRegistryError(status);
    EXPECT_EQ(answered.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ErrorReason(answered), "REGISTRY_UNAVAILABLE") << status;
    EXPECT_TRUE(RetryAfter(answered).has_value());
  }
}

TEST(RegistryErrorTest, ExhaustionSaysWhenToComeBack) {
  absl::Status answered = FromRegistryError(absl::ResourceExhaustedError("queue full"));
  EXPECT_EQ(ErrorReason(answered), "OVERLOADED");
  EXPECT_EQ(RetryAfter(answered), kOverloadedRetryAfter);

  answered = FromRegistryError(
      MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL", "100 messages wait"));
  EXPECT_EQ(ErrorReason(answered), "MAILBOX_FULL");
  EXPECT_TRUE(RetryAfter(answered).has_value());

  answered = FromRegistryError(WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED", "full"), absl::Seconds(7)));
  EXPECT_EQ(RetryAfter(answered), absl::Seconds(7));
}

TEST(RegistryErrorTest, InnardsStayInside) {
  const absl::Status answered = FromRegistryError(absl::InternalError("key 0x17 of cf devices"));
  EXPECT_EQ(answered.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ErrorReason(answered), "INTERNAL");
  EXPECT_EQ(answered.message().find("0x17"), absl::string_view::npos);
}

}  // namespace
}  // namespace bellwire::gateway
