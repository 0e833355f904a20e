#include "gateway/doors/fcm/fcm_message.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

using nlohmann::json;

const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);

std::string RequestOf(absl::string_view message) {
  return absl::StrCat(R"({"message":)", message, "}");
}

FcmMessage Read(absl::string_view message) {
  const auto read = ReadFcmMessage(RequestOf(message), kNow);
  EXPECT_TRUE(read.ok()) << message << ": " << read.status();
  return read.ok() ? *read : FcmMessage();
}

std::string Why(absl::string_view message) {
  const absl::Status status = ReadFcmMessage(RequestOf(message), kNow).status();
  return absl::StrCat(ErrorReason(status), " ", ErrorField(status).value_or("-"));
}

TEST(FcmMessageTest, WhatIsForTheServerDoesNotReachTheApp) {
  const FcmMessage read =
      Read(R"({"name":"x","token":"00ff","data":{"a":"b"},"notification":{"title":"t"},)"
           R"("android":{"collapse_key":"k","priority":"normal","ttl":"3.5s",)"
           R"("restricted_package_name":"com.example.mail","direct_boot_ok":true}})");
  EXPECT_EQ(read.send.token(), "00ff");
  EXPECT_EQ(read.send.collapse_key(), "k");
  EXPECT_EQ(read.send.priority(), push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(read.send.ttl().seconds(), 3);
  EXPECT_EQ(read.send.ttl().nanos(), 500'000'000);
  EXPECT_EQ(read.app_id, "com.example.mail");
  EXPECT_FALSE(read.send.validate_only());
  EXPECT_EQ(
      json::parse(read.send.payload()),
      json::parse(
          R"({"android":{"directBootOk":true},"data":{"a":"b"},"notification":{"title":"t"}})"));
}

TEST(FcmMessageTest, NothingAtAllIsAMessageToo) {
  const FcmMessage read = Read(R"({"token":"00ff","android":{"priority":"HIGH"}})");
  EXPECT_EQ(read.send.payload(), "{}");
  EXPECT_FALSE(read.send.has_ttl());
  EXPECT_EQ(read.send.collapse_key(), "");
}

TEST(FcmMessageTest, ExactlyOneTarget) {
  EXPECT_EQ(Read(R"({"fid":"00ff"})").send.token(), "00ff");
  EXPECT_EQ(Read(R"({"topic":"news"})").topic, "news");
  EXPECT_EQ(Read(R"({"topic":"/topics/news"})").topic, "news");
  EXPECT_EQ(Read(R"({"condition":"'a' in topics"})").condition, "'a' in topics");
  for (const char* message : {R"({})", R"({"token":""})", R"({"token":"a","topic":"b"})",
                              R"({"token":"a","fid":"a"})", R"({"topic":"a","condition":"b"})"}) {
    EXPECT_EQ(Why(message), "BAD_TARGET message.token") << message;
  }
  EXPECT_EQ(ErrorReason(ReadFcmMessage("{}", kNow).status()), "BAD_TARGET");
}

TEST(FcmMessageTest, PrioritiesComeFromTheFirstBlockThatHasOne) {
  const auto priority = [](absl::string_view blocks) {
    return Read(absl::StrCat(R"({"token":"t")", blocks, "}")).send.priority();
  };
  using namespace push::v1;  // NOLINT: names of an enum.
  EXPECT_EQ(priority(""), PRIORITY_NORMAL);
  EXPECT_EQ(priority(R"(,"data":{"a":"b"})"), PRIORITY_NORMAL);
  EXPECT_EQ(priority(R"(,"notification":{"title":"a"})"), PRIORITY_HIGH);
  EXPECT_EQ(priority(R"(,"android":{"notification":{"title":"a"}})"), PRIORITY_HIGH);
  EXPECT_EQ(priority(R"(,"notification":{"title":"a"},"android":{"priority":"NORMAL"})"),
            PRIORITY_NORMAL);
  EXPECT_EQ(priority(R"(,"apns":{"headers":{"apns-priority":"10"}})"), PRIORITY_HIGH);
  EXPECT_EQ(priority(R"(,"apns":{"headers":{"APNS-Priority":"1"}})"), PRIORITY_LOW);
  EXPECT_EQ(
      priority(
          R"(,"webpush":{"headers":{"Urgency":"very-low"}},)"
          R"("apns":{"headers":{"apns-priority":"10"}})"),
      PRIORITY_LOW);
  EXPECT_EQ(priority(R"(,"webpush":{"headers":{"Urgency":"?"}})"), PRIORITY_NORMAL);
}

TEST(FcmMessageTest, TheTtlTooWithinItsBounds) {
  const auto ttl = [](absl::string_view blocks) {
    const FcmMessage read = Read(absl::StrCat(R"({"token":"t")", blocks, "}"));
    return read.send.has_ttl() ? read.send.ttl().seconds() : -1;
  };
  EXPECT_EQ(ttl(""), -1);
  EXPECT_EQ(ttl(R"(,"android":{"ttl":"0s"})"), 0);
  EXPECT_EQ(ttl(R"(,"webpush":{"headers":{"TTL":"60"}},"android":{"ttl":"5s"})"), 5);
  EXPECT_EQ(ttl(R"(,"webpush":{"headers":{"TTL":"60"}})"), 60);
  EXPECT_EQ(ttl(R"(,"webpush":{"headers":{"TTL":"99999999999"}})"), 28 * 24 * 3600);
  EXPECT_EQ(ttl(R"(,"webpush":{"headers":{"TTL":"soon"}})"), -1);
  EXPECT_EQ(ttl(R"(,"apns":{"headers":{"apns-expiration":"0"}})"), 0);
  EXPECT_EQ(ttl(R"(,"apns":{"headers":{"apns-expiration":"1"}})"), 0);
  EXPECT_EQ(ttl(R"(,"apns":{"headers":{"apns-expiration":"1767225660"}})"), 60);
  // What android says is the Send path's to refuse.
  EXPECT_EQ(ttl(R"(,"android":{"ttl":"-1s"})"), -1);
  EXPECT_EQ(Read(R"({"token":"t","android":{"ttl":"-1s"}})").send.ttl().seconds(), -1);
}

TEST(FcmMessageTest, TheCollapseKeyToo) {
  const auto key = [](absl::string_view blocks) {
    return Read(absl::StrCat(R"({"token":"t")", blocks, "}")).send.collapse_key();
  };
  EXPECT_EQ(
      key(R"(,"webpush":{"headers":{"Topic":"w"}},"apns":{"headers":{"apns-collapse-id":"a"}})"),
      "w");
  EXPECT_EQ(key(R"(,"apns":{"headers":{"apns-collapse-id":"a"}})"), "a");
  EXPECT_EQ(key(R"(,"android":{"collapseKey":"k"},"apns":{"headers":{"apns-collapse-id":"a"}})"),
            "k");
  // The other blocks reach the app as they are.
  const std::string payload =
      Read(R"({"token":"t","apns":{"headers":{"apns-collapse-id":"a"}}})").send.payload();
  EXPECT_EQ(payload, R"({"apns":{"headers":{"apns-collapse-id":"a"}}})");
}

TEST(FcmMessageTest, ReservedKeysOfDataAreRefused) {
  for (const char* key : {"from", "gcm", "gcm.notification.x", "google", "google.sent_time",
                          "googlefoo", "message_type"}) {
    EXPECT_EQ(Why(absl::StrCat(R"({"token":"t","data":{")", key, R"(":"x"}})")),
              "RESERVED_DATA_KEY message.data")
        << key;
  }
  EXPECT_EQ(Why(R"({"token":"t","android":{"data":{"from":"x"}}})"),
            "RESERVED_DATA_KEY message.android.data");
  EXPECT_EQ(Why(R"({"token":"t","data":{"fromage":"x","gcmx":"y","my.google":"z"}})"), " -");
}

TEST(FcmMessageTest, TheAppsPartHasABound) {
  const auto of_size = [](size_t bytes) {
    return absl::StrCat(R"({"token":"t","data":{"a":")", std::string(bytes, 'x'), R"("}})");
  };
  // {"data":{"a":""}}
  constexpr size_t kFrame = 17;
  EXPECT_EQ(Read(of_size(kMaxPayloadBytes - kFrame)).send.payload().size(), kMaxPayloadBytes);
  EXPECT_EQ(Why(of_size(kMaxPayloadBytes - kFrame + 1)), "PAYLOAD_TOO_LARGE message");
  // Escapes count as what they stand for.
  std::string escaped;
  for (size_t i = 0; i < kMaxPayloadBytes - kFrame; ++i) escaped += "\\u0061";
  const std::string request =
      RequestOf(absl::StrCat(R"({"token":"t","data":{"a":")", escaped, R"("}})"));
  EXPECT_LE(request.size(), kMaxFcmBodyBytes);
  EXPECT_TRUE(ReadFcmMessage(request, kNow).ok());
}

TEST(FcmMessageTest, ValidateOnlyIsOfTheRequest) {
  const auto read = ReadFcmMessage(R"({"validate_only":true,"message":{"token":"t"}})", kNow);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->send.validate_only());
}

}  // namespace
}  // namespace bellwire::gateway::fcm
