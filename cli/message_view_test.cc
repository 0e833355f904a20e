#include "cli/message_view.h"

#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::Not;

agent::Message MessageOf(agent::v1::Content::Door door, const std::string& payload) {
  agent::Message message;
  message.content.set_door(door);
  message.payload = payload;
  return message;
}

std::string Rendered(agent::v1::Content::Door door, const std::string& payload) {
  std::ostringstream out;
  return RenderMessage(MessageOf(door, payload), Terminal(&out, /*colour=*/false));
}

TEST(MessageViewTest, AnAlertIsShownAsAPersonSeesIt) {
  EXPECT_EQ(Rendered(agent::v1::Content::APNS,
                     R"({"aps":{"alert":{"title":"Mail","body":"Hello\nAnn"},"badge":2,
                         "sound":"default"},"id":7})"),
            "Mail  Hello Ann  apns  badge 2  sound default  id=7");
  EXPECT_EQ(Rendered(agent::v1::Content::FCM, R"({"notification":{"body":"Hello"}})"),
            "Hello  fcm");
  EXPECT_EQ(Rendered(agent::v1::Content::APNS,
                     R"({"aps":{"alert":{"loc-key":"FROM","loc-args":["Ann","Bob"]}}})"),
            "[FROM: Ann, Bob]  apns");
}

TEST(MessageViewTest, WhatNobodySeesIsSaidToBeSilent) {
  EXPECT_EQ(Rendered(agent::v1::Content::FCM, R"({"data":{"k":"v"}})"), "(silent)  fcm  k=v");
}

// A backend must not move the cursor of whoever looks.
TEST(MessageViewTest, EscapeSequencesAreShownAsText) {
  for (const char* payload :
       {R"({"aps":{"alert":{"title":"\u001b[2J","body":"\u009b2J"}},"\u001b]0;x\u0007":"\u202e"})",
        R"({"aps":{"sound":"\u001b[2J","category":"\u0000"}})",
        R"({"aps":{"alert":{"loc-key":"\u001b[2J","loc-args":["\u001b[3J"]}}})"}) {
    const std::string shown = Rendered(agent::v1::Content::APNS, payload);
    for (const char* bad : {"\x1b", "\xc2\x9b", "\x07", "\xe2\x80\xae"}) {
      EXPECT_THAT(shown, Not(::testing::HasSubstr(bad))) << shown;
    }
    EXPECT_THAT(shown, ::testing::HasSubstr("\\x")) << shown;
  }
}

TEST(MessageViewTest, OtherDoorsAndOtherPayloadsAreShownAsTheyAre) {
  EXPECT_EQ(Rendered(agent::v1::Content::DOOR_UNSPECIFIED, "{\"aps\":{}}"), "{\"aps\":{}}");
  EXPECT_EQ(Rendered(agent::v1::Content::APNS, "no JSON"), "no JSON");
  EXPECT_EQ(Rendered(agent::v1::Content::APNS, "\x1b"), "(1 bytes) 1b");
}

TEST(MessageViewTest, JsonHasTheFieldsThatThereAre) {
  nlohmann::ordered_json json;
  AddNotification(
      MessageOf(agent::v1::Content::APNS,
                R"({"aps":{"alert":{"title":"T","title-loc-key":"K"},"badge":0},"a":1})"),
      &json);
  EXPECT_EQ(json.dump(),
            R"({"notification":{"title":"T","title_loc_key":"K","badge":0,"silent":false,)"
            R"("content_available":false,"data":{"a":"1"}}})");
  json = {};
  AddNotification(MessageOf(agent::v1::Content::MATRIX, "{}"), &json);
  EXPECT_TRUE(json.is_null());
}

}  // namespace
}  // namespace bellwire::cli
