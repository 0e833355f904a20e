#include "gateway/doors/webpush/push_request.h"

#include <string>

#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::webpush {
namespace {

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

absl::StatusOr<PushRequest> Parse(http::HeaderList headers) {
  return ParsePushRequest(headers, "", "token");
}

TEST(PushRequestTest, TheFieldsOfRfc8030) {
  const absl::StatusOr<PushRequest> request = Parse(
      {{"ttl", "3600"}, {"urgency", "high"}, {"topic", "news_-1"}, {"prefer", "respond-async"}});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->ttl_seconds, 3600);
  EXPECT_EQ(request->send.ttl().seconds(), 3600);
  EXPECT_EQ(request->send.priority(), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(request->send.collapse_key(), "news_-1");
  EXPECT_EQ(request->send.message_id(), "");
  EXPECT_TRUE(request->wants_receipt);
  EXPECT_FALSE(Parse({{"ttl", "0"}})->wants_receipt);
}

TEST(PushRequestTest, ATtlIsRequiredAndCut) {
  EXPECT_EQ(ErrorReason(Parse({}).status()), "TTL_MISSING");
  for (const char* bad : {"", "-1", "1.5", "1 day", "+1"}) {
    EXPECT_EQ(ErrorReason(Parse({{"ttl", bad}}).status()), "TTL_OUT_OF_RANGE") << bad;
  }
  const int64_t most = absl::ToInt64Seconds(kMaxTtl);
  EXPECT_EQ(Parse({{"ttl", "0"}})->ttl_seconds, 0);
  EXPECT_EQ(Parse({{"ttl", "2147483648"}})->ttl_seconds, most);
  EXPECT_EQ(Parse({{"ttl", std::string(40, '9')}})->ttl_seconds, most);
}

TEST(PushRequestTest, AFieldThatHasOneValueComesOnce) {
  for (const char* name : {"authorization", "ttl", "urgency", "topic", "idempotency-key"}) {
    http::HeaderList headers = {{"ttl", "1"}, {name, "1"}};
    if (headers[1].name != "ttl") headers.push_back({name, "1"});
    EXPECT_EQ(ErrorReason(Parse(headers).status()), "DUPLICATE_FIELD") << name;
  }
}

TEST(PushRequestTest, UrgenciesArePriorities) {
  const auto priority = [](const char* urgency) {
    return Parse({{"ttl", "1"}, {"urgency", urgency}})->send.priority();
  };
  EXPECT_EQ(priority("very-low"), push::v1::PRIORITY_LOW);
  EXPECT_EQ(priority("low"), push::v1::PRIORITY_LOW);
  EXPECT_EQ(priority("normal"), push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(priority("high"), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(priority("urgent"), push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(Parse({{"ttl", "1"}})->send.priority(), push::v1::PRIORITY_NORMAL);
}

TEST(PushRequestTest, ATopicIsShort) {
  EXPECT_TRUE(Parse({{"ttl", "1"}, {"topic", std::string(32, 'a')}}).ok());
  for (const std::string& bad : {std::string(33, 'a'), std::string(), std::string("a b"),
                                 std::string("a="), std::string("a+b")}) {
    EXPECT_EQ(ErrorReason(Parse({{"ttl", "1"}, {"topic", bad}}).status()), "BAD_TOPIC") << bad;
  }
}

TEST(PushRequestTest, AnIdempotencyKeyIsAMessageId) {
  const auto id = [](const std::string& key) {
    return Parse({{"ttl", "1"}, {"idempotency-key", key}})->send.message_id();
  };
  EXPECT_EQ(id(kUuid), kUuid);
  EXPECT_EQ(id("\"123E4567-E89B-42D3-A456-426614174000\""), kUuid);
  EXPECT_EQ(id("order 7"), id("\"order 7\""));
  EXPECT_NE(id("order 7"), id("order 8"));
  EXPECT_NE(MessageIdOfKey("order 7", "token"), MessageIdOfKey("order 7", "another token"));
  EXPECT_EQ(id("order 7").size(), 36u);
  for (const std::string& bad : {std::string(), std::string("\"\""), std::string(257, 'a')}) {
    EXPECT_EQ(ErrorReason(Parse({{"ttl", "1"}, {"idempotency-key", bad}}).status()),
              "BAD_IDEMPOTENCY_KEY");
  }
}

TEST(PushRequestTest, Preferences) {
  EXPECT_TRUE(Prefers({{"prefer", "wait=10, Respond-Async; x=1"}}, "respond-async"));
  EXPECT_TRUE(Prefers({{"prefer", "wait=10"}, {"prefer", "respond-async"}}, "respond-async"));
  EXPECT_TRUE(Prefers({{"prefer", "wait=0"}}, "wait"));
  EXPECT_FALSE(Prefers({{"prefer", "respond-asynchronously"}}, "respond-async"));
  EXPECT_EQ(PreferredWait({{"prefer", "respond-async, Wait = 10; x=1"}}), absl::Seconds(10));
  EXPECT_EQ(PreferredWait({{"prefer", "wait=0"}}), absl::ZeroDuration());
  EXPECT_GT(PreferredWait({{"prefer", "wait=4294967295"}}), absl::Hours(24 * 365));
  for (const char* none :
       {"respond-async", "wait", "wait=", "wait=-1", "wait=x", "wait=4294967296"}) {
    EXPECT_EQ(PreferredWait({{"prefer", none}}), std::nullopt) << none;
  }
}

}  // namespace
}  // namespace bellwire::webpush
