#include "gateway/doors/fcm/fcm_error.h"

#include <string>

#include "absl/time/time.h"
#include "common/error.h"
#include "gateway/doors/http/header_list.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

using nlohmann::json;

constexpr char kFcmError[] = "type.googleapis.com/google.firebase.fcm.v1.FcmError";

json ErrorOf(const http::Reply& reply) {
  const json body = json::parse(reply.body, nullptr, false);
  EXPECT_TRUE(body.is_object()) << reply.body;
  EXPECT_EQ(body["error"].value("code", 0), reply.status);
  return body["error"];
}

// "404 NOT_FOUND UNREGISTERED".
std::string Told(const absl::Status& error) {
  const http::Reply reply = FcmErrorReply(error);
  const json body = ErrorOf(reply);
  std::string told = std::to_string(reply.status) + " " + body.value("status", "");
  // Some clients look at the first of the details only.
  const json first = body["details"][0];
  if (first.value("@type", "") == kFcmError) told += " " + first.value("errorCode", "");
  return told;
}

absl::Status Error(absl::StatusCode code, absl::string_view reason) {
  return MakeError(code, reason, "Why.");
}

TEST(FcmErrorTest, EveryReasonHasTheCodeThatClientsActOn) {
  using absl::StatusCode;
  struct Case {
    StatusCode code;
    const char* reason;
    const char* told;
  };
  for (const Case& c : std::initializer_list<Case>{
           {StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN",
            "400 INVALID_ARGUMENT INVALID_ARGUMENT"},
           {StatusCode::kInvalidArgument, "WRONG_APP", "400 INVALID_ARGUMENT INVALID_ARGUMENT"},
           {StatusCode::kInvalidArgument, "TTL_OUT_OF_RANGE",
            "400 INVALID_ARGUMENT INVALID_ARGUMENT"},
           {StatusCode::kInvalidArgument, "PAYLOAD_TOO_LARGE",
            "400 INVALID_ARGUMENT INVALID_ARGUMENT"},
           {StatusCode::kInvalidArgument, "BODY_TOO_LARGE",
            "400 INVALID_ARGUMENT INVALID_ARGUMENT"},
           {StatusCode::kNotFound, "UNREGISTERED", "404 NOT_FOUND UNREGISTERED"},
           {StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM",
            "403 PERMISSION_DENIED SENDER_ID_MISMATCH"},
           {StatusCode::kPermissionDenied, "WRONG_PROJECT", "403 PERMISSION_DENIED"},
           {StatusCode::kPermissionDenied, "SEND_ONLY_CREDENTIAL", "403 PERMISSION_DENIED"},
           {StatusCode::kUnauthenticated, "EXPIRED_CREDENTIAL", "401 UNAUTHENTICATED"},
           {StatusCode::kResourceExhausted, "QUOTA_EXCEEDED",
            "429 RESOURCE_EXHAUSTED QUOTA_EXCEEDED"},
           {StatusCode::kResourceExhausted, "MAILBOX_FULL",
            "429 RESOURCE_EXHAUSTED QUOTA_EXCEEDED"},
           {StatusCode::kResourceExhausted, "LIMIT_REACHED",
            "429 RESOURCE_EXHAUSTED QUOTA_EXCEEDED"},
           {StatusCode::kResourceExhausted, "OVERLOADED", "503 UNAVAILABLE UNAVAILABLE"},
           {StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "503 UNAVAILABLE UNAVAILABLE"},
           {StatusCode::kUnavailable, "SHUTTING_DOWN", "503 UNAVAILABLE UNAVAILABLE"},
           {StatusCode::kDeadlineExceeded, "REQUEST_TIMEOUT", "503 UNAVAILABLE UNAVAILABLE"},
           {StatusCode::kInternal, "INTERNAL", "500 INTERNAL INTERNAL"},
           {StatusCode::kNotFound, "SOMETHING_ELSE", "500 INTERNAL INTERNAL"},
           {StatusCode::kUnimplemented, "NO_SUCH_PATH", "404 UNIMPLEMENTED"},
           {StatusCode::kNotFound, "NOT_SUBSCRIBED", "404 NOT_FOUND"},
           {StatusCode::kAlreadyExists, "SUBSCRIBED_ALREADY", "409 ALREADY_EXISTS"},
           {StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED",
            "400 INVALID_ARGUMENT INVALID_ARGUMENT"}}) {
    EXPECT_EQ(Told(Error(c.code, c.reason)), c.told) << c.reason;
  }
}

TEST(FcmErrorTest, AFieldThatIsWrongIsNamed) {
  const json body = ErrorOf(FcmErrorReply(
      WithField(Error(absl::StatusCode::kInvalidArgument, "BAD_VALUE"), "message.android.ttl")));
  EXPECT_EQ(body["details"][0]["@type"], kFcmError);
  EXPECT_EQ(body["details"][1]["@type"], "type.googleapis.com/google.rpc.BadRequest");
  EXPECT_EQ(body["details"][1]["fieldViolations"],
            json::array({{{"field", "message.android.ttl"}, {"description", "Why."}}}));
}

TEST(FcmErrorTest, OfATokenThatIsNoneClientsKnowTheWords) {
  const json body = ErrorOf(FcmErrorReply(
      WithField(Error(absl::StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN"), "token")));
  EXPECT_EQ(body["message"], "The registration token is not a valid FCM registration token");
  for (const json& detail : body["details"]) EXPECT_FALSE(detail.contains("fieldViolations"));
}

TEST(FcmErrorTest, WhatPassesSaysWhenToComeBack) {
  const auto retry_after = [](const http::Reply& reply) {
    const std::string* const value = http::FindHeader(reply.headers, "retry-after");
    return value == nullptr ? "" : *value;
  };
  const absl::Status quota = Error(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED");
  const http::Reply later = FcmErrorReply(WithRetryAfter(quota, absl::Milliseconds(1500)));
  EXPECT_EQ(retry_after(later), "2");
  EXPECT_EQ(ErrorOf(later)["details"][1]["@type"], "type.googleapis.com/google.rpc.QuotaFailure");
  EXPECT_EQ(ErrorOf(later)["details"][1]["violations"].size(), 1u);
  EXPECT_EQ(retry_after(FcmErrorReply(Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN"))),
            "1");
  EXPECT_EQ(retry_after(FcmErrorReply(Error(absl::StatusCode::kNotFound, "UNREGISTERED"))), "");
}

TEST(FcmErrorTest, TheInstanceIdServiceHasWordsOfItsOwn) {
  using absl::StatusCode;
  EXPECT_EQ(InstanceIdErrorOf(Error(StatusCode::kNotFound, "UNREGISTERED")), "NOT_FOUND");
  EXPECT_EQ(InstanceIdErrorOf(Error(StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN")),
            "INVALID_ARGUMENT");
  EXPECT_EQ(InstanceIdErrorOf(Error(StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM")),
            "PERMISSION_DENIED");
  EXPECT_EQ(InstanceIdErrorOf(Error(StatusCode::kResourceExhausted, "LIMIT_REACHED")),
            "TOO_MANY_TOPICS");
  EXPECT_EQ(InstanceIdErrorOf(Error(StatusCode::kResourceExhausted, "OVERLOADED")),
            "DEADLINE_EXCEEDED");
  EXPECT_EQ(InstanceIdErrorOf(Error(StatusCode::kInternal, "INTERNAL")), "INTERNAL");
  const http::Reply reply =
      InstanceIdErrorReply(Error(StatusCode::kUnauthenticated, "BAD_CREDENTIAL"));
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(json::parse(reply.body)["error"], "UNAUTHENTICATED");
}

}  // namespace
}  // namespace bellwire::gateway::fcm
