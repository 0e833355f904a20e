#include "gateway/doors/fcm/subscription.h"

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::gateway::fcm {
namespace {

TEST(SubscriptionTest, ReadsABatch) {
  const auto batch =
      ReadTopicBatch(R"({"to":"/topics/news","registration_tokens":["a","b","a"],"x":1})");
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->topic, "news");
  EXPECT_EQ(batch->tokens, (std::vector<std::string>{"a", "b", "a"}));
  EXPECT_EQ(ReadTopicBatch(R"({"to":"news","registration_tokens":["a"]})")->topic, "news");
}

TEST(SubscriptionTest, RefusesWhatIsNoBatch) {
  const auto why = [](absl::string_view body) {
    return ErrorReason(ReadTopicBatch(body).status());
  };
  for (const char* body :
       {"[]", "{}", R"({"to":"/topics/a"})", R"({"registration_tokens":["a"]})",
        R"({"to":5,"registration_tokens":["a"]})", R"({"to":"/topics/a","registration_tokens":[]})",
        R"({"to":"/topics/a","registration_tokens":"a"})",
        R"({"to":"/topics/a","registration_tokens":["a",1]})"}) {
    EXPECT_EQ(why(body), "BAD_VALUE") << body;
  }
  EXPECT_EQ(why("{"), "MALFORMED_JSON");
  EXPECT_EQ(why(R"({"to":"a","to":"b"})"), "DUPLICATE_FIELD");
  std::string tokens = "\"a\"";
  for (size_t i = 1; i < kMaxBatchMessages; ++i) tokens += ",\"a\"";
  const auto of = [](const std::string& tokens) {
    return absl::StrCat(R"({"to":"/topics/a","registration_tokens":[)", tokens, "]}");
  };
  EXPECT_EQ(why(of(tokens)), "");
  EXPECT_EQ(why(of(tokens + ",\"a\"")), "BATCH_TOO_LARGE");
}

TEST(SubscriptionTest, ReadsAQueryInEitherSpelling) {
  for (const char* path : {"/x?topic_name=a%25&allow_missing=true&page_size=7&page_token=b",
                           "/x?topicName=a%25&allowMissing=true&pageSize=7&pageToken=b"}) {
    const auto query = ReadSubscriptionQuery(path);
    ASSERT_TRUE(query.ok()) << path;
    EXPECT_EQ(query->topic_name, "a%");
    EXPECT_TRUE(query->allow_missing);
    EXPECT_EQ(query->page_size, 7u);
    EXPECT_EQ(query->page_token, "b");
  }
  EXPECT_EQ(ReadSubscriptionQuery("/x")->page_size, 1000u);
  EXPECT_EQ(ReadSubscriptionQuery("/x?pageSize=0")->page_size, 1000u);
  EXPECT_EQ(ReadSubscriptionQuery("/x?pageSize=99999")->page_size, 2000u);
  for (const char* path : {"/x?pageSize=-1", "/x?pageSize=a", "/x?allowMissing=maybe", "/x?a=%z"}) {
    EXPECT_FALSE(ReadSubscriptionQuery(path).ok()) << path;
  }
}

TEST(SubscriptionTest, ListsPageByPage) {
  push::v1::ListSubscriptionsResponse all;
  for (const char* topic : {"a", "b", "c"}) {
    all.add_subscriptions()->set_topic(topic);
    all.mutable_subscriptions()->rbegin()->mutable_create_time()->set_seconds(1'767'225'600);
  }
  const FcmPath path{.project = "p", .token = "00ff"};
  const auto first = ToSubscriptionsJson(path, {.page_size = 2}, all);
  EXPECT_EQ(first["topic_subscriptions"].size(), 2u);
  EXPECT_EQ(first["topic_subscriptions"][0].dump(),
            R"({"name":"projects/p/registrations/00ff/topicSubscriptions/a","topic_name":"a",)"
            R"("create_time":"2026-01-01T00:00:00Z"})");
  EXPECT_EQ(first["next_page_token"], "b");
  const auto second = ToSubscriptionsJson(path, {.page_size = 2, .page_token = "b"}, all);
  EXPECT_EQ(second["topic_subscriptions"].size(), 1u);
  EXPECT_EQ(second["topic_subscriptions"][0]["topic_name"], "c");
  EXPECT_FALSE(second.contains("next_page_token"));
}

}  // namespace
}  // namespace bellwire::gateway::fcm
