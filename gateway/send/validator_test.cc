#include "gateway/send/validator.h"

#include <limits>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using push::v1::SendRequest;

constexpr int64_t kNowMs = 1'767'225'600'123;
const absl::Time kNow = absl::FromUnixMillis(kNowMs);
constexpr int64_t kDayMs = 24 * 3600 * 1000;

void ExpectInvalid(const absl::Status& status, absl::string_view reason, absl::string_view field) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ErrorReason(status), reason) << status;
  EXPECT_EQ(ErrorField(status).value_or(""), field) << status;
}

ValidatedSend Valid(const SendRequest& request) {
  absl::StatusOr<ValidatedSend> valid = ValidateSend(request, kNow);
  EXPECT_TRUE(valid.ok()) << valid.status();
  return valid.value_or(ValidatedSend());
}

TEST(ValidateSendTest, AnEmptyRequestHasTheDefaults) {
  const ValidatedSend valid = Valid(SendRequest());
  EXPECT_FALSE(valid.message_id.has_value());
  EXPECT_EQ(valid.priority, push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(valid.accepted_at_ms, kNowMs);
  EXPECT_EQ(valid.expires_at_ms, kNowMs + 28 * kDayMs);
  EXPECT_EQ(valid.deliver_at_ms, 0);
  EXPECT_FALSE(valid.now_or_never);
}

TEST(ValidateSendTest, PayloadBound) {
  SendRequest request;
  request.set_payload(std::string(kMaxPayloadBytes, 'x'));
  Valid(request);
  request.mutable_payload()->push_back('x');
  ExpectInvalid(ValidateSend(request, kNow).status(), "PAYLOAD_TOO_LARGE", "payload");
}

TEST(ValidateSendTest, MessageId) {
  SendRequest request;
  request.set_message_id("123E4567-e89b-42d3-a456-426614174000");
  ASSERT_TRUE(Valid(request).message_id.has_value());
  EXPECT_EQ(FormatUuid(*Valid(request).message_id), "123e4567-e89b-42d3-a456-426614174000");
  for (const char* bad :
       {"123e4567-e89b-42d3-a456-42661417400", "123e4567e89b42d3a456426614174000",
        "{23e4567-e89b-42d3-a456-426614174000", " ", "00000000-0000-0000-0000-000000000000"}) {
    request.set_message_id(bad);
    ExpectInvalid(ValidateSend(request, kNow).status(), "BAD_MESSAGE_ID", "message_id");
  }
}

TEST(ValidateSendTest, CollapseKeyBound) {
  SendRequest request;
  request.set_collapse_key(std::string(kMaxCollapseKeyBytes, 'k'));
  Valid(request);
  request.mutable_collapse_key()->push_back('k');
  ExpectInvalid(ValidateSend(request, kNow).status(), "COLLAPSE_KEY_TOO_LONG", "collapse_key");
}

// They are the server's own: what a door keeps the newest of is nobody else's to replace.
TEST(ValidateSendTest, CollapseKeysThatBeginWithNulAreNotForCallers) {
  SendRequest request;
  request.set_collapse_key(std::string("\0apns", 5));
  ExpectInvalid(ValidateSend(request, kNow).status(), "BAD_COLLAPSE_KEY", "collapse_key");
  request.set_collapse_key(std::string("a\0", 2));
  Valid(request);
}

TEST(ValidateSendTest, Priority) {
  SendRequest request;
  request.set_priority(push::v1::PRIORITY_HIGH);
  EXPECT_EQ(Valid(request).priority, push::v1::PRIORITY_HIGH);
  request.set_priority(push::v1::PRIORITY_LOW);
  EXPECT_EQ(Valid(request).priority, push::v1::PRIORITY_LOW);
  request.set_priority(static_cast<push::v1::Priority>(7));
  ExpectInvalid(ValidateSend(request, kNow).status(), "BAD_PRIORITY", "priority");
}

TEST(ValidateSendTest, TtlRange) {
  SendRequest request;
  request.mutable_ttl()->set_seconds(28 * 24 * 3600);
  EXPECT_EQ(Valid(request).expires_at_ms, kNowMs + 28 * kDayMs);
  request.mutable_ttl()->set_nanos(1);
  ExpectInvalid(ValidateSend(request, kNow).status(), "TTL_OUT_OF_RANGE", "ttl");
  request.mutable_ttl()->set_nanos(0);
  for (const int64_t seconds :
       {int64_t{-1}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    request.mutable_ttl()->set_seconds(seconds);
    ExpectInvalid(ValidateSend(request, kNow).status(), "TTL_OUT_OF_RANGE", "ttl");
  }
  request.mutable_ttl()->set_seconds(1);
  for (const int32_t nanos : {-1, 1'000'000'000}) {
    request.mutable_ttl()->set_nanos(nanos);
    ExpectInvalid(ValidateSend(request, kNow).status(), "TTL_OUT_OF_RANGE", "ttl");
  }
}

TEST(ValidateSendTest, TtlZeroIsNowOrNeverAndALittleMoreIsNot) {
  SendRequest request;
  request.mutable_ttl();
  EXPECT_TRUE(Valid(request).now_or_never);
  EXPECT_EQ(Valid(request).expires_at_ms, kNowMs);
  request.mutable_ttl()->set_nanos(1);
  EXPECT_FALSE(Valid(request).now_or_never);
  EXPECT_EQ(Valid(request).expires_at_ms, kNowMs + 1);
}

TEST(ValidateSendTest, DeliverAtMovesTheExpiry) {
  SendRequest request;
  request.mutable_ttl()->set_seconds(60);
  request.mutable_deliver_at()->set_seconds(kNowMs / 1000 + 3600);
  const int64_t deliver_at_ms = (kNowMs / 1000 + 3600) * 1000;
  EXPECT_EQ(Valid(request).deliver_at_ms, deliver_at_ms);
  EXPECT_EQ(Valid(request).expires_at_ms, deliver_at_ms + 60'000);
}

TEST(ValidateSendTest, APastDeliverAtMeansNow) {
  SendRequest request;
  request.mutable_ttl()->set_seconds(60);
  request.mutable_deliver_at()->set_seconds(1);
  // A retry through another gateway, whose clock says that it has not passed, asks for the same.
  EXPECT_EQ(Valid(request).deliver_at_ms, 1000);
  EXPECT_EQ(Valid(request).expires_at_ms, kNowMs + 60'000);
  request.mutable_deliver_at()->set_seconds(-1);
  EXPECT_EQ(Valid(request).deliver_at_ms, 0);
}

TEST(ValidateSendTest, DeliverAtRange) {
  SendRequest request;
  request.mutable_deliver_at()->set_seconds(kNowMs / 1000 + 30 * 24 * 3600);
  Valid(request);
  for (const int64_t seconds :
       {kNowMs / 1000 + 30 * 24 * 3600 + 1, int64_t{253'402'300'800},
        std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    request.mutable_deliver_at()->set_seconds(seconds);
    ExpectInvalid(ValidateSend(request, kNow).status(), "DELIVER_AT_OUT_OF_RANGE", "deliver_at");
  }
  request.mutable_deliver_at()->set_seconds(kNowMs / 1000);
  request.mutable_deliver_at()->set_nanos(-1);
  ExpectInvalid(ValidateSend(request, kNow).status(), "DELIVER_AT_OUT_OF_RANGE", "deliver_at");
}

TEST(ValidateSendTest, NowOrNeverHasNoLaterTime) {
  SendRequest request;
  request.mutable_ttl();
  request.mutable_deliver_at()->set_seconds(kNowMs / 1000 + 3600);
  ExpectInvalid(ValidateSend(request, kNow).status(), "DELIVER_AT_OUT_OF_RANGE", "deliver_at");
}

TEST(ValidateSendTest, ATraceIsW3Cs) {
  SendRequest request;
  EXPECT_EQ(Valid(request).trace_context, "");
  request.set_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_EQ(FormatTraceparent(Valid(request).trace_context), request.traceparent());
  for (const char* bad : {" ", "00", "4bf92f3577b34da6a3ce929d0e0e4736"}) {
    request.set_traceparent(bad);
    ExpectInvalid(ValidateSend(request, kNow).status(), "BAD_TRACEPARENT", "traceparent");
  }
}

TEST(OpenTokenTest, OpensWhatWasSealed) {
  const std::unique_ptr<TokenSealer> sealer = TokenSealer::ForTesting();
  TokenContents contents;
  contents.registration_id = 42;
  const absl::StatusOr<TokenContents> opened = OpenToken(sealer->Seal(contents), *sealer);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(*opened, contents);
}

TEST(OpenTokenTest, RefusesEverythingElse) {
  const std::unique_ptr<TokenSealer> sealer = TokenSealer::ForTesting();
  const std::string good = sealer->Seal(TokenContents());
  std::string forged = good;
  forged.back() = forged.back() == '0' ? '1' : '0';
  std::string upper = good;
  upper.back() = 'F';
  for (const std::string& bad : {std::string(), forged, upper, good.substr(1), good + "00",
                                 std::string(kMaxTokenChars + 1, 'a'), std::string("\0", 1)}) {
    const absl::Status status = OpenToken(bad, *sealer).status();
    ExpectInvalid(status, "BAD_DEVICE_TOKEN", "token");
    if (!bad.empty()) {
      EXPECT_EQ(status.message().find(bad), absl::string_view::npos);
    }
  }
}

}  // namespace
}  // namespace bellwire::gateway
