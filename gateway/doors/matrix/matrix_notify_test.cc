#include "gateway/doors/matrix/matrix_notify.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using nlohmann::json;

constexpr char kEndpoint[] = "https://push.example.com/wpush/00ff";

// As the specification has it.
constexpr char kEvent[] = R"({
  "event_id": "$3957tyerfgewrf384", "room_id": "!slw48wfj34rtnrf:example.com",
  "type": "m.room.message", "sender": "@exampleuser:matrix.org",
  "sender_display_name": "Major Tom", "room_name": "Mission Control",
  "room_alias": "#exampleroom:matrix.org", "user_is_target": true, "prio": "high",
  "content": {"msgtype": "m.text", "body": "I'm floating in a most peculiar way."},
  "counts": {"unread": 2, "missed_calls": 1}})";

class MatrixNotifyTest : public ::testing::Test {
 protected:
  // Of a notification with these devices.
  std::string Body(json notification, const std::vector<std::string>& pushkeys) {
    for (const std::string& pushkey : pushkeys) {
      notification["devices"].push_back(
          {{"app_id", "org.example"}, {"pushkey", pushkey}, {"tweaks", {{"sound", "bing"}}}});
    }
    return json{{"notification", notification}}.dump();
  }
  std::vector<MatrixPush> Read(const std::string& body) {
    auto pushes = ReadMatrixNotify(body, urls_);
    EXPECT_TRUE(pushes.ok()) << pushes.status();
    return pushes.ok() ? *std::move(pushes) : std::vector<MatrixPush>();
  }
  const PublicUrls urls_ =
      *PublicUrls::Parse({"https://push.example.com", "https://old.example.com:8443"});
};

TEST_F(MatrixNotifyTest, OnlyOurEndpointsAreEndpoints) {
  EXPECT_EQ(TokenOfEndpoint(kEndpoint, urls_), "00ff");
  EXPECT_EQ(TokenOfEndpoint("https://push.example.com:443/wpush/00ff", urls_), "00ff");
  EXPECT_EQ(TokenOfEndpoint("https://old.example.com:8443/wpush/00ff", urls_), "00ff");
  for (const char* url :
       {"", "00ff", "https://push.example.com", "https://push.example.com/wpush/",
        "https://push.example.com/wpush/00FF", "https://push.example.com/wpush/00ff/",
        "https://push.example.com/wpush/00ff?x=1", "https://push.example.com/wpush/00ff#x",
        "https://push.example.com/wpush/../wpush/00ff", "https://push.example.com/ntfy/00ff",
        "http://push.example.com/wpush/00ff", "https://push.example.com.evil/wpush/00ff",
        "https://push.example.com@evil/wpush/00ff", "https://evil/wpush/00ff",
        "https://push.example.com:8443/wpush/00ff", "//push.example.com/wpush/00ff",
        "https://169.254.169.254/latest/meta-data"}) {
    EXPECT_EQ(TokenOfEndpoint(url, urls_), std::nullopt) << url;
  }
  EXPECT_EQ(TokenOfEndpoint(absl::StrCat("https://push.example.com/wpush/",
                                         std::string(kMaxTokenChars + 1, 'a')),
                            urls_),
            std::nullopt);
}

TEST_F(MatrixNotifyTest, EachDeviceGetsTheNotificationWithoutTheOthers) {
  const auto pushes = Read(Body(json::parse(kEvent), {kEndpoint, "https://evil/wpush/00ff",
                                                      "https://push.example.com/wpush/11"}));
  ASSERT_EQ(pushes.size(), 3u);
  ASSERT_TRUE(pushes[0].send.has_value());
  EXPECT_EQ(pushes[0].send->token(), "00ff");
  EXPECT_EQ(pushes[0].send->priority(), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(pushes[0].send->collapse_key(), "");
  const json payload = json::parse(pushes[0].send->payload())["notification"];
  EXPECT_EQ(payload["content"]["msgtype"], "m.text");
  ASSERT_EQ(payload["devices"].size(), 1u);
  EXPECT_EQ(payload["devices"][0]["pushkey"], kEndpoint);
  EXPECT_EQ(payload["devices"][0]["tweaks"]["sound"], "bing");
  EXPECT_FALSE(pushes[1].send.has_value());
  EXPECT_EQ(pushes[1].pushkey, "https://evil/wpush/00ff");
  EXPECT_EQ(pushes[2].send->token(), "11");
}

TEST_F(MatrixNotifyTest, AnEventHasOneIdPerEndpoint) {
  json event = json::parse(kEvent);
  const std::string id = Read(Body(event, {kEndpoint}))[0].send->message_id();
  EXPECT_TRUE(ParseUuid(id).has_value()) << id;
  // Asked again later, when more was unread.
  event["counts"]["unread"] = 3;
  EXPECT_EQ(Read(Body(event, {kEndpoint}))[0].send->message_id(), id);
  EXPECT_NE(Read(Body(event, {"https://push.example.com/wpush/11"}))[0].send->message_id(), id);
  event["event_id"] = "$other";
  EXPECT_NE(Read(Body(event, {kEndpoint}))[0].send->message_id(), id);
}

TEST_F(MatrixNotifyTest, CountsReplaceEachOther) {
  // As Synapse sends it.
  const auto pushes = Read(Body(json::parse(R"({"id":"","type":null,"sender":"",)"
                                            R"("counts":{"unread":0},"prio":"low"})"),
                                {kEndpoint}));
  EXPECT_EQ(pushes[0].send->message_id(), "");
  EXPECT_EQ(pushes[0].send->collapse_key(), "matrix-counts");
  EXPECT_EQ(pushes[0].send->priority(), push::v1::PRIORITY_NORMAL);
}

TEST_F(MatrixNotifyTest, WhatIsTooLongIsCutToItsIds) {
  json event = json::parse(kEvent);
  event["content"]["body"] = std::string(kMaxPayloadBytes, 'x');
  const auto pushes = Read(Body(event, {kEndpoint}));
  const json payload = json::parse(pushes[0].send->payload())["notification"];
  EXPECT_EQ(payload["event_id"], event["event_id"]);
  EXPECT_EQ(payload["room_id"], event["room_id"]);
  EXPECT_EQ(payload["counts"]["unread"], 2);
  EXPECT_FALSE(payload.contains("content"));
  EXPECT_FALSE(payload.contains("devices"));
}

TEST_F(MatrixNotifyTest, OtherBodiesAreRefused) {
  const auto reason = [&](const std::string& body) {
    return ErrorReason(ReadMatrixNotify(body, urls_).status());
  };
  EXPECT_EQ(reason(""), "M_NOT_JSON");
  EXPECT_EQ(reason(std::string(100'000, '[')), "M_NOT_JSON");
  EXPECT_EQ(reason("[]"), "M_MISSING_PARAM");
  EXPECT_EQ(reason("{}"), "M_MISSING_PARAM");
  EXPECT_EQ(reason(R"({"notification":[]})"), "M_BAD_JSON");
  EXPECT_EQ(reason(R"({"notification":{}})"), "M_MISSING_PARAM");
  EXPECT_EQ(reason(R"({"notification":{"devices":{}}})"), "M_MISSING_PARAM");
  EXPECT_EQ(reason(R"({"notification":{"devices":[]}})"), "M_MISSING_PARAM");
  EXPECT_EQ(reason(R"({"notification":{"devices":[1]}})"), "M_BAD_JSON");
  EXPECT_EQ(reason(R"({"notification":{"devices":[{"app_id":"a"}]}})"), "M_MISSING_PARAM");
  EXPECT_EQ(reason(R"({"notification":{"devices":[{"pushkey":5}]}})"), "M_MISSING_PARAM");
  EXPECT_EQ(reason(Body(json::object(), std::vector<std::string>(kMaxMatrixDevices + 1, "a"))),
            "M_BAD_JSON");
  json event = json::parse(kEvent);
  event["event_id"] = std::string(5000, 'x');
  EXPECT_EQ(reason(Body(event, {kEndpoint})), "M_BAD_JSON");
}

TEST_F(MatrixNotifyTest, OnlyWhatIsDeadForGoodIsRejected) {
  const auto judge = [](absl::StatusCode code, absl::string_view reason) {
    return JudgeMatrixSend(MakeError(code, reason, "x"));
  };
  EXPECT_EQ(JudgeMatrixSend(absl::OkStatus()), MatrixVerdict::kAccepted);
  EXPECT_EQ(judge(absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED"), MatrixVerdict::kAccepted);
  EXPECT_EQ(judge(absl::StatusCode::kNotFound, "UNREGISTERED"), MatrixVerdict::kRejected);
  EXPECT_EQ(judge(absl::StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN"),
            MatrixVerdict::kRejected);
  EXPECT_EQ(judge(absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM"),
            MatrixVerdict::kRejected);
  EXPECT_EQ(judge(absl::StatusCode::kPermissionDenied, "VAPID_KEY_MISMATCH"),
            MatrixVerdict::kRejected);
  for (const char* reason : {"QUOTA_EXCEEDED", "MAILBOX_FULL", "OVERLOADED", "REGISTRY_UNAVAILABLE",
                             "SUBSCRIPTIONS_OFF", "SOMETHING_NEW"}) {
    EXPECT_EQ(judge(absl::StatusCode::kUnavailable, reason), MatrixVerdict::kRetry) << reason;
  }
}

}  // namespace
}  // namespace bellwire::gateway
