#include "gateway/doors/apns/apns_channels.h"

#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::gateway::apns {
namespace {

using Action = ChannelRoute::Action;

constexpr char kApp[] = "com.example.mail";
constexpr char kId[] = "abcdefghij2345672345";
constexpr char kPayload[] = R"({"aps":{"event":"update"}})";
const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);

http::RequestHead Head(const std::string& method, const std::string& path,
                       http::HeaderList more = {}) {
  http::RequestHead head{.method = method, .path = path};
  head.headers = {{"authorization", "bearer jwt"}};
  for (http::Header& header : more) head.headers.push_back(std::move(header));
  return head;
}

std::string Bad(const http::RequestHead& head) {
  const auto route = RouteOf(head);
  const Reason* reason = std::get_if<Reason>(&route);
  return reason == nullptr ? "taken" : absl::StrCat(reason->status, " ", reason->name);
}

std::string BadChannel(absl::string_view body) {
  const auto policy = ParseChannel(body);
  const Reason* reason = std::get_if<Reason>(&policy);
  return reason == nullptr ? "taken" : std::string(reason->name);
}

class BroadcastTest : public ::testing::Test {
 protected:
  static http::RequestHead Broadcast(http::HeaderList more = {}) {
    more.push_back({"apns-push-type", "liveactivity"});
    return Head("POST", "/4/broadcasts/apps/com.example.mail", std::move(more));
  }
  std::variant<push::v1::PublishRequest, Reason> Translate(const http::RequestHead& head,
                                                           const std::string& body = kPayload) {
    return TranslateBroadcast(head, body, route_, policy_, kNow);
  }
  push::v1::PublishRequest Good(const http::RequestHead& head) {
    return std::get<push::v1::PublishRequest>(Translate(head));
  }
  std::string Refused(const http::RequestHead& head, const std::string& body = kPayload) {
    const auto translated = Translate(head, body);
    const Reason* reason = std::get_if<Reason>(&translated);
    return reason == nullptr ? "taken" : std::string(reason->name);
  }

  ChannelRoute route_{.action = Action::kBroadcast, .app_id = kApp, .channel_id = kId};
  StoragePolicy policy_ = StoragePolicy::kNewest;
};

TEST(ApnsChannelsTest, EachRouteIsKnownByMethodAndPath) {
  const auto route = [](const std::string& method, const std::string& path) {
    return std::get<ChannelRoute>(RouteOf(Head(method, path, {{"apns-channel-id", kId}})));
  };
  const std::string channels = "/1/apps/com.example.mail/channels";
  EXPECT_EQ(route("POST", channels).action, Action::kCreate);
  EXPECT_EQ(route("GET", channels).action, Action::kRead);
  EXPECT_EQ(route("DELETE", channels).action, Action::kDelete);
  EXPECT_EQ(route("DELETE", channels).channel_id, kId);
  EXPECT_EQ(route("GET", "/1/apps/com.example.mail/all-channels").action, Action::kReadAll);
  const ChannelRoute broadcast = route("POST", "/4/broadcasts/apps/com.example.mail");
  EXPECT_EQ(broadcast.action, Action::kBroadcast);
  EXPECT_EQ(broadcast.app_id, kApp);
  EXPECT_EQ(broadcast.channel_id, kId);
}

TEST(ApnsChannelsTest, WhatIsNoneHasItsReason) {
  EXPECT_EQ(Bad(Head("POST", "/1/apps/com.example.mail/channel")), "404 BadPath");
  EXPECT_EQ(Bad(Head("POST", "/1/apps/a/b/channels")), "404 BadPath");
  EXPECT_EQ(Bad(Head("POST", "/1/device/1")), "404 BadPath");
  EXPECT_EQ(Bad(Head("POST", "/4/broadcasts/com.example.mail")), "404 BadPath");
  EXPECT_EQ(Bad(Head("PUT", "/1/apps/com.example.mail/channels")), "405 MethodNotAllowed");
  EXPECT_EQ(Bad(Head("POST", "/1/apps/com.example.mail/all-channels")), "405 MethodNotAllowed");
  EXPECT_EQ(Bad(Head("GET", "/4/broadcasts/apps/com.example.mail")), "405 MethodNotAllowed");
  EXPECT_EQ(Bad(Head("GET", "/1/apps/nodots/all-channels")), "400 BadTopic");
  EXPECT_EQ(Bad(Head("GET", "/1/apps/com.example.mail/channels")), "400 MissingChannelId");
  EXPECT_EQ(Bad(Head("DELETE", "/1/apps/com.example.mail/channels", {{"apns-channel-id", "x"}})),
            "400 BadChannelId");
  http::RequestHead head = Head("GET", "/1/apps/com.example.mail/all-channels");
  head.headers.clear();
  EXPECT_EQ(Bad(head), "403 MissingProviderToken");
}

TEST(ApnsChannelsTest, APolicyIsANumberOrItsText) {
  const auto policy = [](absl::string_view body) {
    return std::get<StoragePolicy>(ParseChannel(body));
  };
  EXPECT_EQ(policy(R"({"message-storage-policy":0,"push-type":"LiveActivity"})"),
            StoragePolicy::kNone);
  EXPECT_EQ(policy(R"({"message-storage-policy":"1","push-type":"liveactivity"})"),
            StoragePolicy::kNewest);
  EXPECT_EQ(BadChannel(""), "PayloadEmpty");
  EXPECT_EQ(BadChannel("[]"), "CannotCreateChannelConfig");
  EXPECT_EQ(BadChannel(R"({"message-storage-policy":1})"), "MissingPushType");
  EXPECT_EQ(BadChannel(R"({"message-storage-policy":1,"push-type":"alert"})"), "InvalidPushType");
  EXPECT_EQ(BadChannel(R"({"message-storage-policy":1,"push-type":7})"), "InvalidPushType");
  EXPECT_EQ(BadChannel(R"({"push-type":"LiveActivity"})"), "CannotCreateChannelConfig");
  EXPECT_EQ(BadChannel(R"({"message-storage-policy":2,"push-type":"LiveActivity"})"),
            "CannotCreateChannelConfig");
}

TEST(ApnsChannelsTest, AChannelIsATopicOfItsApp) {
  const std::string id = NewChannelId();
  EXPECT_EQ(id.size(), 20u);
  EXPECT_NE(id, NewChannelId());
  const std::string topic = TopicOfChannel(kApp, id);
  EXPECT_EQ(topic, absl::StrCat("apns-channel.com.example.mail.", id));
  EXPECT_EQ(ChannelOfTopic(kApp, topic), id);
  EXPECT_EQ(ChannelOfTopic("com.example", topic), std::nullopt);
  EXPECT_EQ(ChannelOfTopic("com.example.mail.beta", topic), std::nullopt);
  EXPECT_EQ(ChannelOfTopic(kApp, "news"), std::nullopt);
  EXPECT_EQ(PolicyOf(NoteOf(StoragePolicy::kNewest)), StoragePolicy::kNewest);
  EXPECT_EQ(PolicyOf(NoteOf(StoragePolicy::kNone)), StoragePolicy::kNone);
}

TEST(ApnsChannelsTest, AnswersAreApnss) {
  EXPECT_EQ(RenderChannel(StoragePolicy::kNewest),
            R"({"message-storage-policy":1,"push-type":"LiveActivity"})");
  EXPECT_EQ(RenderChannels({"a", "b"}), R"({"channels":["a","b"]})");
  EXPECT_EQ(RenderChannels({}), R"({"channels":[]})");
}

TEST_F(BroadcastTest, HeadersBecomeTheFieldsOfAPublish) {
  const push::v1::PublishRequest request =
      Good(Broadcast({{"apns-request-id", "4F0C1F3E-8A52-4A39-9BE2-3D1F4B8F2C11"},
                      {"apns-expiration", "1767225660"},
                      {"apns-priority", "5"}}));
  EXPECT_EQ(request.topic(), TopicOfChannel(kApp, kId));
  EXPECT_EQ(request.message().payload(), kPayload);
  EXPECT_EQ(request.message().message_id(), "4f0c1f3e-8a52-4a39-9be2-3d1f4b8f2c11");
  EXPECT_EQ(request.message().ttl().seconds(), 60);
  EXPECT_EQ(request.message().priority(), push::v1::PRIORITY_NORMAL);
}

TEST_F(BroadcastTest, ThePolicySaysWhatWaits) {
  EXPECT_EQ(Good(Broadcast()).message().collapse_key(), absl::StrCat("apns-channel.", kId));
  EXPECT_FALSE(Good(Broadcast()).message().has_ttl());
  policy_ = StoragePolicy::kNone;
  const push::v1::SendRequest message =
      Good(Broadcast({{"apns-expiration", "1767225660"}})).message();
  EXPECT_EQ(message.collapse_key(), "");
  EXPECT_TRUE(message.has_ttl());
  EXPECT_EQ(message.ttl().seconds(), 0);
}

TEST_F(BroadcastTest, EachMistakeHasItsReason) {
  http::RequestHead head = Broadcast();
  head.headers.pop_back();
  EXPECT_EQ(Refused(head), "MissingPushType");
  head.headers.push_back({"apns-push-type", "alert"});
  EXPECT_EQ(Refused(head), "InvalidPushType");
  EXPECT_EQ(Refused(Broadcast({{"apns-expiration", "soon"}})), "BadExpirationDate");
  EXPECT_EQ(Refused(Broadcast({{"apns-priority", "3"}})), "BadPriority");
  EXPECT_EQ(Refused(Broadcast(), ""), "PayloadEmpty");
  EXPECT_EQ(Refused(Broadcast(), "7"), "BadPayload");
  EXPECT_EQ(Refused(Broadcast(), std::string(kMaxPayloadBytes + 1, ' ')), "PayloadTooLarge");
}

}  // namespace
}  // namespace bellwire::gateway::apns
