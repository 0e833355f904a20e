#include "gateway/doors/apns/apns_request.h"

#include <memory>
#include <string>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "gateway/doors/apns/apns_reason.h"
#include "gtest/gtest.h"

namespace bellwire::gateway::apns {
namespace {

using push::v1::SendRequest;

constexpr char kAlert[] = R"({"aps":{"alert":"Hi"}})";
constexpr char kId[] = "4f0c1f3e-8a52-4a39-9be2-3d1f4b8f2c11";
const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);

class ApnsRequestTest : public testing::Test {
 protected:
  std::string Token(absl::string_view app_id = "com.example.mail") {
    return sealer_->Seal({.device_id = *DeviceId::FromBytes("0123456789abcdef"),
                          .registration_id = 7,
                          .app_tag = AppTag(app_id)});
  }
  http::RequestHead Head(http::HeaderList more = {}) {
    http::RequestHead head{.method = "POST", .path = absl::StrCat(kDevicePath, Token())};
    head.headers = {{"authorization", "bearer jwt"}, {"apns-topic", "com.example.mail"}};
    for (http::Header& header : more) head.headers.push_back(std::move(header));
    return head;
  }
  SendRequest Good(const http::RequestHead& head, std::string body = kAlert) {
    auto translated = Translate(head, std::move(body), *sealer_, kNow);
    if (const Reason* reason = std::get_if<Reason>(&translated)) {
      ADD_FAILURE() << reason->name;
      return {};
    }
    return std::get<SendRequest>(translated);
  }
  std::string Bad(const http::RequestHead& head, std::string body = kAlert) {
    auto translated = Translate(head, std::move(body), *sealer_, kNow);
    const Reason* reason = std::get_if<Reason>(&translated);
    return reason == nullptr ? "taken" : absl::StrCat(reason->status, " ", reason->name);
  }

  const std::unique_ptr<TokenSealer> sealer_ = TokenSealer::ForTesting();
};

TEST_F(ApnsRequestTest, HeadersBecomeTheFieldsOfASend) {
  const SendRequest request = Good(Head({{"apns-id", kId},
                                         {"apns-collapse-id", "inbox"},
                                         {"apns-expiration", "1767225660"},
                                         {"apns-priority", "5"},
                                         {"apns-push-type", "alert"}}));
  EXPECT_EQ(request.token(), Token());
  EXPECT_EQ(request.payload(), kAlert);
  EXPECT_EQ(request.message_id(), kId);
  EXPECT_EQ(request.collapse_key(), "inbox");
  EXPECT_EQ(request.ttl().seconds(), 60);
  EXPECT_EQ(request.priority(), push::v1::PRIORITY_NORMAL);
}

TEST_F(ApnsRequestTest, WithoutHeadersItIsUrgentAndWaitsAsLongAsItMay) {
  const SendRequest request = Good(Head());
  EXPECT_EQ(request.priority(), push::v1::PRIORITY_HIGH);
  EXPECT_FALSE(request.has_ttl());
  EXPECT_EQ(request.message_id(), "");
}

TEST_F(ApnsRequestTest, ExpirationZeroAndThePastAreNowOrNever) {
  EXPECT_EQ(Good(Head({{"apns-expiration", "0"}})).ttl().seconds(), 0);
  EXPECT_TRUE(Good(Head({{"apns-expiration", "0"}})).has_ttl());
  EXPECT_EQ(Good(Head({{"apns-expiration", "1767225500"}})).ttl().seconds(), 0);
}

TEST_F(ApnsRequestTest, ExpirationBeyondTheLongestTtlIsTheLongestTtl) {
  EXPECT_EQ(Good(Head({{"apns-expiration", "9999999999"}})).ttl().seconds(), 28 * 24 * 3600);
}

TEST_F(ApnsRequestTest, PushTypesDecideHowUrgent) {
  EXPECT_EQ(Good(Head({{"apns-push-type", "voip"}, {"apns-priority", "5"}})).priority(),
            push::v1::PRIORITY_HIGH);
  EXPECT_EQ(Good(Head({{"apns-push-type", "background"}})).priority(), push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(Good(Head({{"apns-push-type", "background"}, {"apns-priority", "1"}})).priority(),
            push::v1::PRIORITY_LOW);
}

TEST_F(ApnsRequestTest, TopicsMayHaveASuffix) {
  http::RequestHead head = Head();
  head.headers[1].value = "com.example.mail.voip";
  EXPECT_EQ(Bad(head), "taken");
  head.headers[1].value = "com.example.mail.push-type.liveactivity";
  EXPECT_EQ(Bad(head), "taken");
}

TEST_F(ApnsRequestTest, EachMistakeHasItsReason) {
  EXPECT_EQ(Bad(Head({{"apns-id", "7"}})), "400 BadMessageId");
  EXPECT_EQ(Bad(Head({{"apns-priority", "7"}})), "400 BadPriority");
  EXPECT_EQ(Bad(Head({{"apns-expiration", "tomorrow"}})), "400 BadExpirationDate");
  EXPECT_EQ(Bad(Head({{"apns-expiration", "-1"}})), "400 BadExpirationDate");
  EXPECT_EQ(Bad(Head({{"apns-push-type", "shout"}})), "400 InvalidPushType");
  EXPECT_EQ(Bad(Head({{"apns-collapse-id", std::string(65, 'c')}})), "400 BadCollapseId");
  EXPECT_EQ(Bad(Head(), ""), "400 PayloadEmpty");
  EXPECT_EQ(Bad(Head(), absl::StrCat("{\"a\":\"", std::string(4090, 'a'), "\"}")),
            "413 PayloadTooLarge");
  EXPECT_EQ(Bad(Head(), "[]"), "400 BadPayload");
  EXPECT_EQ(Bad(Head(), "{\"aps\":{},\"aps\":{}}"), "400 BadPayload");
  EXPECT_EQ(Bad(Head(), std::string(4000, '[')), "400 BadPayload");
}

TEST_F(ApnsRequestTest, ATokenIsForItsTopicOnly) {
  http::RequestHead head = Head();
  head.headers[1].value = "com.example.chat";
  EXPECT_EQ(Bad(head), "400 DeviceTokenNotForTopic");
  head.headers[1].value = "nodots";
  EXPECT_EQ(Bad(head), "400 BadTopic");
  head.headers.pop_back();
  EXPECT_EQ(Bad(head), "400 MissingTopic");
}

TEST_F(ApnsRequestTest, TokensThatWereNeverIssuedAreBad) {
  http::RequestHead head = Head();
  head.path = absl::StrCat(kDevicePath, std::string(64, 'a'));
  EXPECT_EQ(Bad(head), "400 BadDeviceToken");
}

TEST_F(ApnsRequestTest, HexInCapitalsIsTheSameToken) {
  http::RequestHead head = Head();
  head.path = absl::StrCat(kDevicePath, absl::AsciiStrToUpper(Token()));
  EXPECT_EQ(Good(head).token(), Token());
}

TEST_F(ApnsRequestTest, TheHeadIsCheckedBeforeTheBody) {
  EXPECT_FALSE(CheckHead(Head()).has_value());
  http::RequestHead head = Head();
  head.method = "GET";
  EXPECT_EQ(CheckHead(head)->name, "MethodNotAllowed");
  head = Head();
  head.path = "/3/devices/1";
  EXPECT_EQ(CheckHead(head)->name, "BadPath");
  head = Head();
  head.path = std::string(kDevicePath);
  EXPECT_EQ(CheckHead(head)->name, "MissingDeviceToken");
  head = Head({{"apns-topic", "com.example.other"}});
  EXPECT_EQ(CheckHead(head)->name, "DuplicateHeaders");
  head = Head();
  head.headers.erase(head.headers.begin());
  EXPECT_EQ(CheckHead(head)->name, "MissingProviderToken");
}

TEST(ApnsReasonTest, ADeadTokenIsGoneWithTheTime) {
  const absl::Status dead =
      WithMetadata(MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "It died."),
                   "unregistered_at", "2026-01-01T00:00:00.5Z");
  const http::Reply reply = ToReply(ReasonOf(dead), kId);
  EXPECT_EQ(reply.status, 410);
  EXPECT_EQ(reply.body, R"({"reason":"Unregistered","timestamp":1767225600500})");
  EXPECT_EQ(*http::FindHeader(reply.headers, "apns-id"), kId);
}

// Clients throw tokens away at a 400 or 410.
TEST(ApnsReasonTest, WhatPassesIsNeverTheTokensFault) {
  for (const absl::Status& error :
       {MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", ""),
        MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", ""),
        MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED", ""),
        MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL", ""),
        absl::InternalError("")}) {
    EXPECT_GE(ReasonOf(error).status, 429) << error;
  }
}

TEST(ApnsReasonTest, WhenToComeBackIsInWholeSeconds) {
  const absl::Status busy = WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED", ""), absl::Milliseconds(1200));
  EXPECT_EQ(*http::FindHeader(ToReply(ReasonOf(busy), kId).headers, "retry-after"), "2");
}

}  // namespace
}  // namespace bellwire::gateway::apns
