#include "gateway/doors/fcm/fcm_schema.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway::fcm {
namespace {

using nlohmann::json;

// The message as it was read.
json Read(absl::string_view message) {
  const auto read = ReadSendMessageRequest(absl::StrCat(R"({"message":)", message, "}"));
  EXPECT_TRUE(read.ok()) << message << ": " << read.status();
  return read.ok() ? (*read)["message"] : json();
}

// "BAD_VALUE message.android.ttl".
std::string Why(absl::string_view request) {
  const absl::Status status = ReadSendMessageRequest(request).status();
  return absl::StrCat(ErrorReason(status), " ", ErrorField(status).value_or("-"));
}

std::string WhyMessage(absl::string_view message) {
  return Why(absl::StrCat(R"({"message":)", message, "}"));
}

TEST(FcmSchemaTest, BothSpellingsAreOne) {
  const json camel = Read(
      R"({"android":{"collapseKey":"k","notification":{"titleLocArgs":["a"],"lightSettings":)"
      R"({"lightOnDuration":"1s","color":{"red":1,"alpha":0.5}}}},)"
      R"("fcmOptions":{"analyticsLabel":"l"}})");
  const json snake = Read(
      R"({"android":{"collapse_key":"k","notification":{"title_loc_args":["a"],"light_settings":)"
      R"({"light_on_duration":"1s","color":{"red":1,"alpha":0.5}}}},)"
      R"("fcm_options":{"analytics_label":"l"}})");
  EXPECT_EQ(camel, snake);
  EXPECT_EQ(camel["android"]["collapseKey"], "k");
  EXPECT_EQ(*ReadSendMessageRequest(R"({"validate_only":true})"),
            *ReadSendMessageRequest(R"({"validateOnly":true})"));
}

TEST(FcmSchemaTest, AFieldComesOnceInWhicheverSpelling) {
  EXPECT_EQ(WhyMessage(R"({"android":{"collapse_key":"a","collapseKey":"b"}})"),
            "DUPLICATE_FIELD message.android.collapseKey");
  EXPECT_EQ(WhyMessage(R"({"android":{"collapse_key":null,"collapseKey":"b"}})"),
            "DUPLICATE_FIELD message.android.collapseKey");
  EXPECT_EQ(WhyMessage(R"({"token":"a","token":"b"})"), "DUPLICATE_FIELD token");
}

TEST(FcmSchemaTest, WhatIsNullIsAbsent) {
  // As apprise has it in a message for a topic.
  EXPECT_EQ(Read(R"({"token":null,"topic":"t","notification":null})"), json({{"topic", "t"}}));
}

TEST(FcmSchemaTest, AnUnknownFieldIsNamedWithThePathAroundIt) {
  EXPECT_EQ(Why(R"({"mesage":{}})"), "UNKNOWN_FIELD -");
  EXPECT_EQ(WhyMessage(R"({"tokn":"a"})"), "UNKNOWN_FIELD message");
  EXPECT_EQ(WhyMessage(R"({"android":{"notification":{"titel":"a"}}})"),
            "UNKNOWN_FIELD message.android.notification");
  EXPECT_EQ(WhyMessage(R"({"Token":"a"})"), "UNKNOWN_FIELD message");
  EXPECT_EQ(WhyMessage(R"({"android":{"Collapse_Key":"a"}})"), "UNKNOWN_FIELD message.android");
  EXPECT_EQ(WhyMessage(R"({"fcm__options":{}})"), "UNKNOWN_FIELD message");
  const absl::Status status = ReadSendMessageRequest(R"({"message":{"tokn":"a"}})").status();
  EXPECT_EQ(
      status.message(),
      "Invalid JSON payload received. Unknown name \"tokn\" at 'message': Cannot find field.");
}

TEST(FcmSchemaTest, AValueOfAnotherTypeIsRefused) {
  for (const auto& [message, path] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"([])", "message"},
           {R"("x")", "message"},
           {R"({"token":5})", "message.token"},
           {R"({"data":[]})", "message.data"},
           {R"({"data":{"a":1}})", "message.data"},
           {R"({"data":{"a":null}})", "message.data"},
           {R"({"data":{"a":{}}})", "message.data"},
           {R"({"notification":"hello"})", "message.notification"},
           {R"({"android":{"ttl":3600}})", "message.android.ttl"},
           {R"({"android":{"ttl":"3600"}})", "message.android.ttl"},
           {R"({"android":{"ttl":"1h"}})", "message.android.ttl"},
           {R"({"android":{"priority":"urgent"}})", "message.android.priority"},
           {R"({"android":{"priority":2}})", "message.android.priority"},
           {R"({"android":{"priority":-1}})", "message.android.priority"},
           {R"({"android":{"directBootOk":"true"}})", "message.android.directBootOk"},
           {R"({"android":{"notification":{"notificationCount":1.5}}})",
            "message.android.notification.notificationCount"},
           {R"({"android":{"notification":{"notificationCount":3000000000}}})",
            "message.android.notification.notificationCount"},
           {R"({"android":{"notification":{"eventTime":"noon"}}})",
            "message.android.notification.eventTime"},
           {R"({"android":{"notification":{"eventTime":"9999-12-31T23:59:59-01:00"}}})",
            "message.android.notification.eventTime"},
           {R"({"android":{"notification":{"bodyLocArgs":"a"}}})",
            "message.android.notification.bodyLocArgs"},
           {R"({"android":{"notification":{"vibrateTimings":["1s",2]}}})",
            "message.android.notification.vibrateTimings"},
           {R"({"webpush":{"notification":[]}})", "message.webpush.notification"},
           {R"({"apns":{"headers":{"apns-priority":10}}})", "message.apns.headers"},
           {R"({"apns":{"payload":"x"}})", "message.apns.payload"}}) {
    EXPECT_EQ(WhyMessage(message), absl::StrCat("BAD_VALUE ", path)) << message;
  }
  EXPECT_EQ(Why("[]"), "BAD_VALUE -");
  EXPECT_EQ(Why(R"({"validate_only":1})"), "BAD_VALUE validateOnly");
}

TEST(FcmSchemaTest, ReadsAsProtobufsMappingDoes) {
  const json read = Read(
      R"({"android":{"priority":"high","ttl":"3.5s","notification":{"notificationCount":"7",)"
      R"("notification_priority":5,"visibility":"public",)"
      R"("eventTime":"2014-10-02T15:01:23.045Z"}}})");
  EXPECT_EQ(read["android"]["priority"], "HIGH");
  EXPECT_EQ(read["android"]["notification"]["notificationCount"], 7);
  EXPECT_EQ(read["android"]["notification"]["notificationPriority"], "PRIORITY_MAX");
  EXPECT_EQ(read["android"]["notification"]["visibility"], "PUBLIC");
}

TEST(FcmSchemaTest, WhatTheCallerChoosesStaysAsItIs) {
  const char* const text =
      R"({"apns":{"payload":{"aps":{"alert":{"loc-key":"a"},"mutable-content":1},)"
      R"("my_key":[null,{}]}},)"
      R"("data":{"a_b":"\u00e4","":""},"webpush":{"notification":{"require_interaction":true}}})";
  EXPECT_EQ(Read(text), json::parse(text));
}

TEST(FcmSchemaTest, HostileJsonIsRefused) {
  for (const char* text :
       {"", "{", "{}{}", "nul", "{\"message\":{\"token\":\"\\ud800\"}}",
        "{\"message\":{\"token\":\"\xff\"}}", "{\"message\":{\"token\":\"\xc0\xaf\"}}",
        R"({"message":{"apns":{"payload":{"a":1e999}}}})",
        R"({"message":{"apns":{"payload":{"a":01}}}})",
        R"({"message":{"apns":{"payload":{"a":NaN}}}})"}) {
    EXPECT_EQ(ErrorReason(ReadSendMessageRequest(text).status()), "MALFORMED_JSON") << text;
  }
  const std::string deep = absl::StrCat(R"({"message":{"apns":{"payload":{"a":)",
                                        std::string(10'000, '['), std::string(10'000, ']'), "}}}}");
  EXPECT_EQ(ErrorReason(ReadSendMessageRequest(deep).status()), "JSON_TOO_DEEP");
  std::string many = R"({"message":{"apns":{"payload":{"a":[0)";
  for (int i = 0; i < 5000; ++i) many += ",0";
  EXPECT_EQ(ErrorReason(ReadSendMessageRequest(many + "]}}}}").status()), "JSON_TOO_LARGE");
  EXPECT_EQ(WhyMessage(R"({"apns":{"payload":{"a":1,"a":2}}})"), "DUPLICATE_FIELD a");
}

}  // namespace
}  // namespace bellwire::gateway::fcm
