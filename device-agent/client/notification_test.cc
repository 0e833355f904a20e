#include "device-agent/client/notification.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::optional<Notification> Parse(v1::Content::Door door, absl::string_view payload) {
  v1::Content content;
  content.set_door(door);
  return ParseNotification(content, payload);
}

Notification Apns(absl::string_view payload) {
  const auto parsed = Parse(v1::Content::APNS, payload);
  EXPECT_TRUE(parsed.has_value()) << payload;
  return parsed.value_or(Notification());
}

Notification Fcm(absl::string_view payload) {
  const auto parsed = Parse(v1::Content::FCM, payload);
  EXPECT_TRUE(parsed.has_value()) << payload;
  return parsed.value_or(Notification());
}

TEST(NotificationTest, AnAlertOfApnsIsATextOrAnObject) {
  EXPECT_EQ(Apns(R"({"aps":{"alert":"You have mail"}})").body, "You have mail");
  const Notification n = Apns(R"({"aps":{
      "alert":{"title":"Mail","subtitle":"Inbox","body":"Hello",
               "title-loc-key":"NEW_MAIL","title-loc-args":["3"],
               "loc-key":"FROM","loc-args":["Ann","Bob"]},
      "badge":3,"sound":"ding.aiff","category":"REPLY","thread-id":"inbox"},
      "fcm_options":{"image":"https://example.com/a.png"}})");
  EXPECT_EQ(n.title, "Mail");
  EXPECT_EQ(n.subtitle, "Inbox");
  EXPECT_EQ(n.body, "Hello");
  EXPECT_EQ(n.localized_title, (LocalizedText{"NEW_MAIL", {"3"}}));
  EXPECT_EQ(n.localized_body, (LocalizedText{"FROM", {"Ann", "Bob"}}));
  EXPECT_EQ(n.badge, 3);
  EXPECT_EQ(n.sound, "ding.aiff");
  EXPECT_EQ(n.category, "REPLY");
  EXPECT_EQ(n.thread, "inbox");
  EXPECT_EQ(n.image, "https://example.com/a.png");
  EXPECT_FALSE(n.content_available);
  EXPECT_FALSE(n.silent());
}

TEST(NotificationTest, TheSoundOfACriticalAlertIsAnObject) {
  EXPECT_EQ(Apns(R"({"aps":{"sound":{"critical":1,"name":"alarm","volume":1}}})").sound, "alarm");
}

TEST(NotificationTest, WhatIsBesideApsIsTheBackends) {
  const Notification n =
      Apns(R"({"z":"text","aps":{"content-available":1},"b":{"c":[1,"ä"]},"a":7})");
  EXPECT_THAT(n.data, ElementsAre(Pair("a", "7"), Pair("b", R"({"c":[1,"ä"]})"),
                                  Pair("z", "text")));
  EXPECT_TRUE(n.content_available);
  EXPECT_TRUE(n.silent());
}

TEST(NotificationTest, ABadgeOfZeroIsToBeSeen) {
  EXPECT_EQ(Apns(R"({"aps":{"badge":0}})").badge, 0);
  EXPECT_FALSE(Apns(R"({"aps":{"badge":0}})").silent());
  EXPECT_EQ(Apns(R"({"aps":{}})").badge, std::nullopt);
}

TEST(NotificationTest, FcmsBlockForThePhoneBeatsTheCommonOne) {
  const Notification n = Fcm(R"({
      "notification":{"title":"A","body":"B","image":"https://example.com/1.png"},
      "data":{"a":"1","b":"2"},
      "android":{"data":{"b":"3"},
                 "notification":{"title":"C","sound":"default","clickAction":"OPEN","tag":"t",
                                 "bodyLocKey":"K","bodyLocArgs":["x"],"notificationCount":4}}})");
  EXPECT_EQ(n.title, "C");
  EXPECT_EQ(n.body, "B");
  EXPECT_EQ(n.image, "https://example.com/1.png");
  EXPECT_EQ(n.sound, "default");
  EXPECT_EQ(n.category, "OPEN");
  EXPECT_EQ(n.thread, "t");
  EXPECT_EQ(n.localized_body, (LocalizedText{"K", {"x"}}));
  EXPECT_EQ(n.badge, 4);
  EXPECT_THAT(n.data, ElementsAre(Pair("a", "1"), Pair("b", "3")));
}

TEST(NotificationTest, FcmHasTwoSpellings) {
  const Notification n = Fcm(R"({"android":{"notification":{
      "title_loc_key":"K","title_loc_args":["x"],"notification_count":4,"click_action":"OPEN",
      "default_sound":true}}})");
  EXPECT_EQ(n.localized_title, (LocalizedText{"K", {"x"}}));
  EXPECT_EQ(n.badge, 4);
  EXPECT_EQ(n.category, "OPEN");
  EXPECT_EQ(n.sound, "default");
}

TEST(NotificationTest, AMessageOfDataAloneIsSilent) {
  const Notification n = Fcm(R"({"data":{"k":"v"}})");
  EXPECT_TRUE(n.silent());
  EXPECT_TRUE(n.content_available);
  EXPECT_FALSE(Fcm(R"({"notification":{"body":"B"}})").content_available);
}

TEST(NotificationTest, AFieldOfTheWrongTypeIsAbsent) {
  EXPECT_EQ(Apns(R"({"aps":{"alert":7,"badge":"3","sound":[],"category":{},"thread-id":null,
                     "content-available":"1"}})"),
            Notification());
  EXPECT_EQ(Apns(R"({"aps":"x"})"), Notification());
  EXPECT_EQ(Apns(R"({"aps":{"alert":{"title":1,"loc-key":"K","loc-args":[1,"a"]},
                     "badge":18446744073709551615}})")
                .localized_body,
            (LocalizedText{"K", {"a"}}));
  EXPECT_EQ(Apns(R"({"aps":{"badge":1.5}})").badge, std::nullopt);
  EXPECT_EQ(Fcm(R"({"notification":[],"android":7,"data":{"a":1}})"), Notification());
}

TEST(NotificationTest, OtherDoorsHaveNone) {
  EXPECT_FALSE(ParseNotification(v1::Content(), R"({"aps":{}})").has_value());
  EXPECT_FALSE(Parse(v1::Content::WEB_PUSH, R"({"aps":{}})").has_value());
  EXPECT_FALSE(Parse(v1::Content::MATRIX, "{}").has_value());
}

TEST(NotificationTest, WhatIsNoObjectHasNone) {
  for (const char* payload : {"", "{", "[]", "null", "7", "{}x", "{\"aps\":\"\xff\"}"}) {
    EXPECT_FALSE(Parse(v1::Content::APNS, payload).has_value()) << payload;
    EXPECT_FALSE(Parse(v1::Content::FCM, payload).has_value()) << payload;
  }
}

TEST(NotificationTest, DepthIsBounded) {
  const auto nested = [](int depth) {
    return absl::StrCat("{\"a\":", std::string(static_cast<size_t>(depth), '['),
                        std::string(static_cast<size_t>(depth), ']'), "}");
  };
  EXPECT_TRUE(Parse(v1::Content::APNS, nested(30)).has_value());
  EXPECT_FALSE(Parse(v1::Content::APNS, nested(40)).has_value());
  EXPECT_FALSE(Parse(v1::Content::APNS, nested(2000)).has_value());
}

}  // namespace
}  // namespace bellwire::agent
