#include "rpc/grpc_status.h"

#include "common/error.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

google::rpc::Status Details(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(GrpcStatusTest, OkIsOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(GrpcStatusTest, EveryCodeKeepsItsNumber) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const grpc::Status there = ToGrpcStatus(status);
    EXPECT_EQ(there.error_code(), code);
    EXPECT_EQ(there.error_message(), "why");
    EXPECT_EQ(FromGrpcStatus(there), status);
  }
}

TEST(GrpcStatusTest, AnErrorKeepsAllItSays) {
  absl::Status status = MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "the app is gone");
  status = WithMetadata(status, "unregistered_at", "2026-01-01T00:00:00Z");
  status = WithMetadata(status, "other", "");
  status = WithRetryAfter(status, absl::Seconds(90) + absl::Nanoseconds(7));
  status = WithField(status, "requests[3].token");
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
}

TEST(GrpcStatusTest, TheDetailsAreTheStandardOnes) {
  absl::Status status = MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED", "slower");
  status = WithField(WithRetryAfter(status, absl::Milliseconds(1500)), "token");
  const google::rpc::Status details = Details(ToGrpcStatus(status));
  EXPECT_EQ(details.code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(details.message(), "slower");
  ASSERT_EQ(details.details_size(), 3);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_EQ(details.details(1).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
  EXPECT_EQ(details.details(2).type_url(), "type.googleapis.com/google.rpc.BadRequest");

  google::rpc::ErrorInfo error_info;
  google::rpc::RetryInfo retry_info;
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(details.details(0).UnpackTo(&error_info));
  ASSERT_TRUE(details.details(1).UnpackTo(&retry_info));
  ASSERT_TRUE(details.details(2).UnpackTo(&bad_request));
  EXPECT_EQ(error_info.reason(), "QUOTA_EXCEEDED");
  EXPECT_EQ(error_info.domain(), "bellwire");
  EXPECT_EQ(retry_info.retry_delay().seconds(), 1);
  EXPECT_EQ(retry_info.retry_delay().nanos(), 500'000'000);
  EXPECT_EQ(bad_request.field_violations(0).field(), "token");
  EXPECT_EQ(bad_request.field_violations(0).description(), "slower");
}

TEST(GrpcStatusTest, AnErrorWithoutReasonHasNoDetails) {
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("x")).error_details(), "");
}

TEST(GrpcStatusTest, ForeignAndMalformedDetailsAreLeftOut) {
  const absl::Status plain = absl::NotFoundError("x");
  EXPECT_EQ(FromGrpcStatus(grpc::Status(grpc::StatusCode::NOT_FOUND, "x", "\xff\xff")), plain);

  google::rpc::Status details;
  google::rpc::ErrorInfo foreign;
  foreign.set_reason("THEIRS");
  foreign.set_domain("example.com");
  details.add_details()->PackFrom(foreign);
  details.add_details()->set_type_url("type.googleapis.com/google.rpc.Unheard");
  auto* broken = details.add_details();
  broken->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  broken->set_value("\xff");
  details.add_details()->PackFrom(google::rpc::BadRequest());
  EXPECT_EQ(
      FromGrpcStatus(grpc::Status(grpc::StatusCode::NOT_FOUND, "x", details.SerializeAsString())),
      plain);
}

TEST(GrpcStatusTest, LongErrorsFitIntoTrailers) {
  absl::Status status = MakeError(absl::StatusCode::kInternal, "R", std::string(100'000, 'm'));
  status = WithField(status, "f");
  for (int i = 0; i < 100; ++i) {
    status = WithMetadata(status, "key" + std::to_string(i), std::string(100, 'v'));
  }
  const grpc::Status there = ToGrpcStatus(status);
  EXPECT_EQ(there.error_message().size(), 1024u);
  EXPECT_LT(3 * there.error_message().size() + there.error_details().size() * 4 / 3, 8u * 1024);
  EXPECT_EQ(ErrorReason(FromGrpcStatus(there)), "R");
}

TEST(GrpcStatusTest, MessagesBecomeUtf8AndAreCutBetweenCharacters) {
  const auto message = [](absl::string_view text) {
    return ToGrpcStatus(absl::InternalError(text)).error_message();
  };
  EXPECT_EQ(message("naïve Ω 🔔"), "naïve Ω 🔔");
  EXPECT_EQ(message("a\xff"
                    "b\xc3"),
            "a?b?");
  EXPECT_EQ(message("\xc0\xaf"), "??");            // Overlong.
  EXPECT_EQ(message("\xe0\x80\xaf"), "???");       // Overlong.
  EXPECT_EQ(message("\xf0\x80\x80\xaf"), "????");  // Overlong.
  EXPECT_EQ(message("\xed\xa0\x80"), "???");       // A surrogate.
  EXPECT_EQ(message("\xf4\x90\x80\x80"), "????");  // Above U+10FFFF.
  EXPECT_EQ(message("\xf5\x80\x80\x80"), "????");
  EXPECT_EQ(message(std::string(1022, 'x') + "🔔"), std::string(1022, 'x'));

  // In metadata and fields too: a proto3 string that is no UTF-8 would not parse at the other end.
  absl::Status status = MakeError(absl::StatusCode::kInternal, "R", "m");
  status = WithField(WithMetadata(status, "k", "\xff"), "f\xff");
  const absl::Status back = FromGrpcStatus(ToGrpcStatus(status));
  EXPECT_EQ(ErrorMetadata(back, "k"), "?");
  EXPECT_EQ(ErrorField(back), "f?");
}

}  // namespace
}  // namespace bellwire
