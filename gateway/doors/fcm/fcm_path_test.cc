#include "gateway/doors/fcm/fcm_path.h"

#include "gtest/gtest.h"

namespace bellwire::gateway::fcm {
namespace {

using Resource = FcmPath::Resource;

TEST(FcmPathTest, NamesTheResourceAndWhatItIsOf) {
  const auto send = ParseFcmPath("/v1/projects/teamteam22/messages:send?alt=json");
  ASSERT_TRUE(send.has_value());
  EXPECT_EQ(send->resource, Resource::kMessages);
  EXPECT_EQ(send->project, "teamteam22");
  EXPECT_TRUE(ParseFcmPath("/v1/projects/p/messages%3Asend").has_value());

  const auto all = ParseFcmPath("/v1/projects/p/registrations/00ff/topicSubscriptions");
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->resource, Resource::kSubscriptions);
  EXPECT_EQ(all->token, "00ff");
  EXPECT_EQ(all->topic, "");

  const auto one = ParseFcmPath("/v1/projects/p/registrations/00ff/topicSubscriptions/a%25b~c");
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->resource, Resource::kSubscription);
  EXPECT_EQ(one->topic, "a%b~c");

  EXPECT_EQ(ParseFcmPath("/iid/v1:batchAdd")->resource, Resource::kBatchAdd);
  EXPECT_EQ(ParseFcmPath("/iid/v1:batchRemove")->resource, Resource::kBatchRemove);
}

TEST(FcmPathTest, NothingElseIsOne) {
  for (const char* path :
       {"", "/", "*", "/v1/projects", "/v1/projects/p", "/v1/projects//messages:send",
        "/v1/projects/p/messages", "/v1/projects/p/messages:send/", "/v2/projects/p/messages:send",
        "/v1/projects/p%/messages:send", "/v1/projects/a/b/messages:send",
        "/v1/projects/p/registrations/t", "/v1/projects/p/registrations/t/topics",
        "/v1/projects/p/registrations//topicSubscriptions",
        "/v1/projects/p/registrations/t/topicSubscriptions/a/b", "/iid/v1", "/iid/v1:batchadd",
        "/iid/v1:batchAdd/x"}) {
    EXPECT_FALSE(ParseFcmPath(path).has_value()) << path;
  }
}

}  // namespace
}  // namespace bellwire::gateway::fcm
