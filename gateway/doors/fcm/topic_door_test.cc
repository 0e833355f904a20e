#include "gateway/doors/fcm/topic_door.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

using http::Fields;
using http::H2Harness;
using http::H2TestClient;
using nlohmann::json;

// Above a registry that keeps the topics of one registration.
class TopicDoorTest : public ::testing::Test {
 protected:
  TopicDoorTest() {
    path_.registry.change_subscription =
        [this](const internal::v1::ChangeSubscriptionRequest& request)
        -> absl::StatusOr<internal::v1::ChangeSubscriptionResponse> {
      if (!error_.ok()) return error_;
      EXPECT_EQ(request.team_id(), TestSendPath::kTeam);
      internal::v1::ChangeSubscriptionResponse response;
      response.set_unchanged(request.subscribed() ? !subscribed_.insert(request.topic()).second
                                                  : subscribed_.erase(request.topic()) == 0);
      if (request.subscribed()) response.set_created_at_ms(1'767'225'600'000);
      return response;
    };
    path_.registry.list_subscriptions = [this](const internal::v1::ListSubscriptionsRequest&)
        -> absl::StatusOr<internal::v1::ListSubscriptionsResponse> {
      if (!error_.ok()) return error_;
      internal::v1::ListSubscriptionsResponse response;
      for (const std::string& topic : subscribed_) {
        auto* subscription = response.add_subscriptions();
        subscription->set_topic(topic);
        subscription->set_created_at_ms(1'767'225'600'000);
      }
      return response;
    };
  }

  H2TestClient::Response Ask(const std::string& method, const std::string& path,
                             const std::string& body = "", std::string bearer = "") {
    if (bearer.empty()) bearer = path_.Bearer();
    Fields fields;
    for (auto& field : http::PostFields(path, {{"authorization", bearer}})) {
      if (field.first == ":method") field.second = method;
      fields.push_back(field);
    }
    const int32_t stream = harness_.client.Request(fields, body);
    harness_.Run();
    return harness_.client.response(stream);
  }
  std::string Batch(const std::vector<std::string>& tokens) {
    return json({{"to", "/topics/news"}, {"registration_tokens", tokens}}).dump();
  }
  std::string Path(absl::string_view more = "") {
    return absl::StrCat("/v1/projects/teamteam22/registrations/", path_.Token(),
                        "/topicSubscriptions", more);
  }

  TestSendPath path_;
  std::set<std::string> subscribed_;
  absl::Status error_;
  FcmCredentials credentials_{{.keys = &path_.keys,
                               .authenticator = &path_.authenticator,
                               .sealer = path_.sealer.get(),
                               .clock = &path_.clock}};
  TopicDoor door_{&credentials_, &path_.topic_engine};
  H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(TopicDoorTest, ABatchAddsAndRemovesInOrder) {
  H2TestClient::Response answer = Ask("POST", "/iid/v1:batchAdd", Batch({path_.Token(), "nope"}));
  ASSERT_EQ(answer.Get(":status"), "200") << answer.body;
  EXPECT_EQ(json::parse(answer.body),
            json::parse(R"({"results":[{},{"error":"INVALID_ARGUMENT"}]})"));
  EXPECT_EQ(subscribed_, std::set<std::string>{"news"});
  // Again, and the opposite twice: no error.
  for (const char* path : {"/iid/v1:batchAdd", "/iid/v1:batchRemove", "/iid/v1:batchRemove"}) {
    answer = Ask("POST", path, Batch({path_.Token()}));
    EXPECT_EQ(json::parse(answer.body), json::parse(R"({"results":[{}]})")) << path;
  }
  EXPECT_TRUE(subscribed_.empty());
}

TEST_F(TopicDoorTest, ErrorsOfABatch) {
  error_ = MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "It is dead.");
  EXPECT_EQ(json::parse(Ask("POST", "/iid/v1:batchAdd", Batch({path_.Token()})).body),
            json::parse(R"({"results":[{"error":"NOT_FOUND"}]})"));
  // What passes for all is for the whole call, which clients repeat by themselves.
  error_ = absl::UnavailableError("away");
  const H2TestClient::Response away = Ask("POST", "/iid/v1:batchAdd", Batch({path_.Token()}));
  EXPECT_EQ(away.Get(":status"), "503");
  EXPECT_EQ(json::parse(away.body)["error"], "UNAVAILABLE");
  EXPECT_NE(away.Get("retry-after"), "");
  const H2TestClient::Response bad = Ask("POST", "/iid/v1:batchAdd", "{}");
  EXPECT_EQ(bad.Get(":status"), "400");
  EXPECT_EQ(json::parse(bad.body)["error"], "INVALID_ARGUMENT");
  EXPECT_EQ(Ask("GET", "/iid/v1:batchAdd").Get(":status"), "405");
  const H2TestClient::Response who = Ask("POST", "/iid/v1:batchAdd", Batch({"a"}), "Bearer nobody");
  EXPECT_EQ(who.Get(":status"), "401");
  EXPECT_EQ(json::parse(who.body)["error"], "UNAUTHENTICATED");
  EXPECT_EQ(Ask("POST", "/iid/v1:batchAdd", Batch({"a"}), path_.SendOnlyBearer()).Get(":status"),
            "403");
}

TEST_F(TopicDoorTest, ASubscriptionIsAResource) {
  H2TestClient::Response answer = Ask("POST", Path("?topic_name=news"), "{}");
  ASSERT_EQ(answer.Get(":status"), "200") << answer.body;
  const json made = json::parse(answer.body);
  EXPECT_EQ(made["topic_name"], "news");
  EXPECT_EQ(made["create_time"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(made["name"], Path("/news").substr(4));
  EXPECT_EQ(Ask("POST", Path("?topic_name=news"), "{}").Get(":status"), "409");

  EXPECT_EQ(json::parse(Ask("GET", Path("/news")).body), made);
  EXPECT_EQ(json::parse(Ask("GET", Path()).body), json({{"topic_subscriptions", {made}}}));
  EXPECT_EQ(Ask("GET", Path("/other")).Get(":status"), "404");

  EXPECT_EQ(Ask("PATCH", Path("/other"), "{}").Get(":status"), "404");
  EXPECT_EQ(Ask("PATCH", Path("/other?allowMissing=true"), "{}").Get(":status"), "200");
  EXPECT_EQ(Ask("PATCH", Path("/news?allowMissing=true"), "{}").Get(":status"), "200");
  EXPECT_EQ(subscribed_.size(), 2u);

  answer = Ask("DELETE", Path("/news"));
  EXPECT_EQ(answer.Get(":status"), "200");
  EXPECT_EQ(answer.body, "{}\n");
  EXPECT_EQ(Ask("DELETE", Path("/news")).Get(":status"), "404");
  EXPECT_EQ(Ask("DELETE", Path("/news?allow_missing=true")).Get(":status"), "200");
  EXPECT_EQ(Ask("PUT", Path("/news")).Get(":status"), "405");
  EXPECT_EQ(Ask("DELETE", Path()).Get("allow"), "GET, POST");
}

TEST_F(TopicDoorTest, WhoMayOnlySendMayOnlyLook) {
  EXPECT_EQ(Ask("GET", Path(), "", path_.SendOnlyBearer()).Get(":status"), "200");
  EXPECT_EQ(Ask("POST", Path("?topic_name=a"), "{}", path_.SendOnlyBearer()).Get(":status"), "403");
  EXPECT_EQ(Ask("DELETE", Path("/a"), "", path_.SendOnlyBearer()).Get(":status"), "403");
  EXPECT_TRUE(subscribed_.empty());
}

TEST_F(TopicDoorTest, MessagesAreAnotherDoors) {
  EXPECT_FALSE(door_.Matches({.method = "POST", .path = "/v1/projects/p/messages:send"}));
  EXPECT_FALSE(door_.Matches({.method = "GET", .path = "/iid/info/x"}));
  EXPECT_TRUE(door_.Matches({.method = "PUT", .path = Path()}));
}

}  // namespace
}  // namespace bellwire::gateway::fcm
