#include "gateway/doors/json/rest_error.h"

#include "absl/time/time.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using Code = absl::StatusCode;

TEST(RestErrorTest, HasTheDetailsThatGrpcHas) {
  absl::Status status = MakeError(Code::kResourceExhausted, "MAILBOX_FULL", "Full: \"it\" is.");
  status = WithRetryAfter(WithMetadata(WithField(status, "token"), "limit", "100"),
                          absl::Milliseconds(1500));
  const http::Reply reply = ErrorReply(status);
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(*http::FindHeader(reply.headers, "retry-after"), "2");
  EXPECT_EQ(*http::FindHeader(reply.headers, "content-type"), "application/json");
  const auto error = nlohmann::json::parse(reply.body)["error"];
  EXPECT_EQ(error["code"], 429);
  EXPECT_EQ(error["status"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(error["message"], "Full: \"it\" is.");
  const auto details = error["details"];
  ASSERT_EQ(details.size(), 3u);
  EXPECT_EQ(details[0]["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
  EXPECT_EQ(details[0]["reason"], "MAILBOX_FULL");
  EXPECT_EQ(details[0]["domain"], "bellwire");
  EXPECT_EQ(details[0]["metadata"]["limit"], "100");
  EXPECT_EQ(details[1]["fieldViolations"][0]["field"], "token");
  EXPECT_EQ(details[2]["retryDelay"], "1.5s");
}

TEST(RestErrorTest, CodesAreThoseOfHttp) {
  for (const auto& [code, http] :
       std::initializer_list<std::pair<Code, int>>{{Code::kInvalidArgument, 400},
                                                   {Code::kUnauthenticated, 401},
                                                   {Code::kPermissionDenied, 403},
                                                   {Code::kNotFound, 404},
                                                   {Code::kAlreadyExists, 409},
                                                   {Code::kResourceExhausted, 429},
                                                   {Code::kUnavailable, 503},
                                                   {Code::kOutOfRange, 400},
                                                   {Code::kInternal, 500},
                                                   {Code::kUnknown, 500}}) {
    EXPECT_EQ(HttpStatusOf(absl::Status(code, "x")), http) << code;
  }
  EXPECT_EQ(HttpStatusOf(MakeError(Code::kInvalidArgument, "PAYLOAD_TOO_LARGE", "x")), 413);
  EXPECT_EQ(RetryAfterOf(absl::InternalError("x")), std::nullopt);
  EXPECT_EQ(RetryAfterOf(WithRetryAfter(absl::InternalError("x"), absl::ZeroDuration())), "1");
  EXPECT_EQ(
      *http::FindHeader(ErrorReply(absl::UnauthenticatedError("x")).headers, "www-authenticate"),
      "Bearer");
}

}  // namespace
}  // namespace bellwire::gateway
