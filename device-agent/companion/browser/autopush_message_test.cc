#include "device-agent/companion/browser/autopush_message.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::companion {
namespace {

template <typename Body>
Body Parse(absl::string_view text) {
  absl::StatusOr<AutopushRequest> request = ParseAutopushRequest(text);
  EXPECT_TRUE(request.ok()) << request.status() << " " << text;
  EXPECT_TRUE(request.ok() && std::holds_alternative<Body>(*request)) << text;
  return request.ok() && std::holds_alternative<Body>(*request) ? std::get<Body>(*request) : Body();
}

// The texts of Firefox ESR 153.
TEST(AutopushMessage, TakesWhatFirefoxSends) {
  EXPECT_EQ(
      Parse<AutopushHello>(R"({"messageType":"hello","broadcasts":{},"use_webpush":true})").uaid,
      "");
  EXPECT_EQ(Parse<AutopushHello>(R"({"messageType":"hello","broadcasts":{},"use_webpush":true,)"
                                 R"("uaid":"13af2f9c15684c55a4cb57424da0e331"})")
                .uaid,
            "13af2f9c15684c55a4cb57424da0e331");
  const auto registration = Parse<AutopushRegister>(
      R"({"channelID":"59c4af40-6ad5-4c36-8397-4575829e308f","messageType":"register",)"
      R"("key":"BGZlyCtw4mpyW830aaU9pymRc3M2blJmMLFJkVQQp229Vrb2rPuTMfWdNpFcw9h3ifD8alGv1PTw)"
      R"(IgODN22et6o="})");
  EXPECT_EQ(registration.channel_id, "59c4af40-6ad5-4c36-8397-4575829e308f");
  EXPECT_EQ(registration.vapid_key.size(), kVapidKeyBytes);
  const auto ack = Parse<AutopushAck>(
      R"({"messageType":"ack","updates":[{"channelID":"59c4af40-6ad5-4c36-8397-4575829e308f",)"
      R"("version":"c008e189-e443-468f-a6ea-d64086900813","code":100}]})");
  ASSERT_EQ(ack.updates.size(), 1u);
  EXPECT_EQ(ack.updates[0].version, "c008e189-e443-468f-a6ea-d64086900813");
  EXPECT_EQ(ack.updates[0].code, 100);
  EXPECT_EQ(
      Parse<AutopushNack>(
          R"({"messageType":"nack","version":"c008e189-e443-468f-a6ea-d64086900813","code":302})")
          .code,
      302);
  EXPECT_EQ(
      Parse<AutopushUnregister>(R"({"channelID":"59c4af40","messageType":"unregister","code":200})")
          .channel_id,
      "59c4af40");
  Parse<AutopushPing>("{}");
  Parse<AutopushPing>(R"({"messageType":"ping"})");
  Parse<AutopushOther>(R"({"messageType":"broadcast_subscribe","broadcasts":{"a/b":"1"}})");
  Parse<AutopushOther>(R"({"messageType":"invented later"})");
}

TEST(AutopushMessage, RefusesWhatBreaksTheBounds) {
  const std::string long_id(kMaxChannelIdBytes + 1, 'a');
  std::string updates;
  for (size_t i = 0; i <= kMaxAutopushUpdates; ++i) {
    absl::StrAppend(&updates, i == 0 ? "" : ",", R"({"channelID":"a","version":"b"})");
  }
  for (
      const std::string& text : std::vector<std::string>{
          "", "1", "[]", "\"hello\"", "{", R"({"messageType":7})", "{\"a\":\"\xff\"}",
          R"({"messageType":"hello","uaid":7})", R"({"messageType":"register"})",
          R"({"messageType":"register","channelID":""})",
          R"({"messageType":"register","channelID":"a:b"})",
          R"({"messageType":"register","channelID":"a","key":"AAAA"})",
          R"({"messageType":"register","channelID":"a","key":"!"})",
          // A bit more than the point has.
          R"({"messageType":"register","channelID":"a","key":"BGZlyCtw4mpyW830aaU9pymRc3M2blJm)"
          R"(MLFJkVQQp229Vrb2rPuTMfWdNpFcw9h3ifD8alGv1PTwIgODN22et6p="})",
          absl::StrCat(R"({"messageType":"register","channelID":")", long_id, R"("})"),
          R"({"messageType":"ack"})", R"({"messageType":"ack","updates":[7]})",
          absl::StrCat(R"({"messageType":"ack","updates":[)", updates, "]}"),
          absl::StrCat("{\"a\":\"", std::string(kMaxAutopushMessageBytes, 'a'), "\"}")}) {
    EXPECT_FALSE(ParseAutopushRequest(text).ok()) << text.substr(0, 80);
  }
}

TEST(AutopushMessage, NotificationsCarryWhatTheSenderGave) {
  Message message{.payload = std::string("\xfb\xff\x00", 3), .encoding = "aes128gcm"};
  EXPECT_EQ(RenderNotification("c", "v", message),
            R"({"messageType":"notification","channelID":"c","version":"v","data":"-_8A",)"
            R"("headers":{"encoding":"aes128gcm"}})");
  message.encoding = "aesgcm";
  message.encryption = "salt=a";
  message.crypto_key = "dh=b";
  EXPECT_EQ(
      nlohmann::json::parse(RenderNotification("c", "v", message))["headers"],
      nlohmann::json::parse(R"({"encoding":"aesgcm","encryption":"salt=a","crypto_key":"dh=b"})"));
  // Nothing was sent, so the page's event has no data.
  EXPECT_EQ(RenderNotification("c", "v", Message()),
            R"({"messageType":"notification","channelID":"c","version":"v"})");
}

}  // namespace
}  // namespace bellwire::companion
