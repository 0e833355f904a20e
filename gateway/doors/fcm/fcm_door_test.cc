#include "gateway/doors/fcm/fcm_door.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/error.h"
#include "common/trace_context.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

using http::Fields;
using http::H2Harness;
using http::H2TestClient;
using http::PostFields;
using nlohmann::json;

constexpr char kPath[] = "/v1/projects/teamteam22/messages:send";

class FcmDoorTest : public ::testing::Test {
 protected:
  H2TestClient::Response Post(const std::string& body, absl::string_view path = kPath,
                              Fields more = {}) {
    return Ask(PostFields(path, {{"authorization", path_.Bearer()}}), body, std::move(more));
  }
  H2TestClient::Response Ask(Fields fields, const std::string& body, Fields more = {}) {
    for (auto& field : more) fields.push_back(std::move(field));
    const int32_t stream = harness_.client.Request(fields, body);
    harness_.Run();
    return harness_.client.response(stream);
  }
  std::string Message(absl::string_view more = "") {
    return absl::StrCat(R"({"message":{"token":")", path_.Token(), R"(")", more, "}}");
  }
  // "404 UNREGISTERED".
  static std::string Told(const H2TestClient::Response& answer) {
    const json body = json::parse(answer.body, nullptr, false);
    if (!body.is_object() || !body.contains("error")) return answer.Get(":status");
    const json& first = body["error"]["details"][0];
    return absl::StrCat(answer.Get(":status"), " ",
                        first.value("errorCode", body["error"].value("status", "")));
  }

  TestSendPath path_;
  FcmCredentials credentials_{{.keys = &path_.keys,
                               .authenticator = &path_.authenticator,
                               .sealer = path_.sealer.get(),
                               .clock = &path_.clock}};
  FcmDoor door_{{.credentials = &credentials_,
                 .engine = &path_.engine,
                 .topics = &path_.topic_engine,
                 .sealer = path_.sealer.get(),
                 .clock = &path_.clock}};
  H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(FcmDoorTest, AMessageIsStoredAndNamed) {
  const H2TestClient::Response answer =
      Post(Message(R"(,"data":{"a":"b"},"android":{"ttl":"60s"})"));
  ASSERT_EQ(answer.Get(":status"), "200") << answer.body;
  EXPECT_EQ(answer.Get("content-type"), "application/json; charset=UTF-8");
  const std::string name = json::parse(answer.body)["name"];
  EXPECT_EQ(name.substr(0, 29), "projects/teamteam22/messages/");
  EXPECT_EQ(name.size(), 29u + 36u);
  ASSERT_EQ(path_.appended.size(), 1u);
  const internal::v1::AppendRequest& append = path_.appended[0];
  EXPECT_EQ(append.team_id(), TestSendPath::kTeam);
  EXPECT_EQ(append.message().payload(), R"({"data":{"a":"b"}})");
  EXPECT_EQ(append.message().content().door(), internal::v1::Content::FCM);
  EXPECT_EQ(append.message().expires_at_ms() - append.message().accepted_at_ms(), 60'000);
}

TEST_F(FcmDoorTest, AMessageBelongsToTheTraceOfItsRequest) {
  constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  ASSERT_EQ(Post(Message(), kPath, {{"traceparent", kTrace}}).Get(":status"), "200");
  EXPECT_EQ(FormatTraceparent(path_.appended.back().message().trace_context()), kTrace);
}

TEST_F(FcmDoorTest, FirebaseAdminsSchemeIsTaken) {
  Fields fields;
  for (auto& field : PostFields(kPath, {{"authorization", path_.Bearer()}})) {
    fields.push_back(field.first == ":scheme" ? std::make_pair(field.first, std::string("https:"))
                                              : field);
  }
  EXPECT_EQ(Ask(fields, Message()).Get(":status"), "200");
}

TEST_F(FcmDoorTest, AudienceAndExpiryOfATeamsJwtCount) {
  const auto with = [this](const char* claims) {
    return Told(
        Ask(PostFields(kPath, {{"authorization", path_.BearerWith(claims)}}), Message()));
  };
  EXPECT_EQ(with(TestSendPath::kForeignClaims), "401 UNAUTHENTICATED");
  EXPECT_EQ(with(TestSendPath::kExpiredClaims), "401 UNAUTHENTICATED");
  EXPECT_TRUE(path_.appended.empty());
  EXPECT_EQ(with(TestSendPath::kGoodClaims), "200");
}

TEST_F(FcmDoorTest, ADryRunChecksAndStoresNothing) {
  const auto dry = [this](absl::string_view more) {
    std::string body = Message(more);
    body.insert(1, R"("validate_only":true,)");
    return Post(body);
  };
  EXPECT_EQ(json::parse(dry("").body)["name"], "projects/teamteam22/messages/fake_message_id");
  ASSERT_EQ(path_.appended.size(), 1u);
  EXPECT_TRUE(path_.appended[0].validate_only());
  EXPECT_EQ(Told(dry(R"(,"android":{"ttl":"99999999s"})")), "400 INVALID_ARGUMENT");
  path_.append_error = MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "It is dead.");
  EXPECT_EQ(Told(dry("")), "404 UNREGISTERED");
}

TEST_F(FcmDoorTest, EveryErrorIsToldAsFcmsClientsExpect) {
  EXPECT_EQ(Told(Post("{")), "400 INVALID_ARGUMENT");
  EXPECT_EQ(Told(Post(R"({"message":{"token":"nope"}})")), "400 INVALID_ARGUMENT");
  EXPECT_EQ(Told(Post(Message(R"(,"dta":{})"))), "400 INVALID_ARGUMENT");
  EXPECT_EQ(Told(Post(std::string(40'000, ' '))), "400 INVALID_ARGUMENT");
  EXPECT_EQ(Told(Post(Message(), "/v1/projects/aaaaaaaaaa/messages:send")),
            "403 PERMISSION_DENIED");
  EXPECT_EQ(Told(Ask(PostFields(kPath), Message())), "401 UNAUTHENTICATED");
  EXPECT_EQ(Told(Ask(PostFields(kPath, {{"authorization", "Bearer x.y.z"}}), Message())),
            "401 UNAUTHENTICATED");
  EXPECT_TRUE(path_.appended.empty());
  // Never NOT_FOUND, for which clients would forget a token.
  EXPECT_EQ(Told(Post(Message(), "/v1/projects/teamteam22/messages")), "404 UNIMPLEMENTED");
  EXPECT_EQ(Told(Post("{}", "/iid/v1/x/rel/topics/y")), "404 UNIMPLEMENTED");
  EXPECT_EQ(Told(Ask(http::GetFields(kPath), "")), "405 UNIMPLEMENTED");
  using absl::StatusCode;
  for (const auto& [code, reason, told] :
       std::initializer_list<std::tuple<StatusCode, const char*, const char*>>{
           {StatusCode::kNotFound, "UNREGISTERED", "404 UNREGISTERED"},
           {StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM", "403 SENDER_ID_MISMATCH"},
           {StatusCode::kResourceExhausted, "MAILBOX_FULL", "429 QUOTA_EXCEEDED"},
           {StatusCode::kResourceExhausted, "OVERLOADED", "503 UNAVAILABLE"},
           {StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "503 UNAVAILABLE"}}) {
    path_.append_error = MakeError(code, reason, "Why.");
    const H2TestClient::Response answer = Post(Message());
    EXPECT_EQ(Told(answer), told);
    EXPECT_EQ(answer.Get("retry-after").empty(),
              code == StatusCode::kNotFound || code == StatusCode::kPermissionDenied)
        << reason;
  }
}

TEST_F(FcmDoorTest, ATokenMustBeOfTheAppThatTheMessageIsFor) {
  EXPECT_EQ(
      Post(Message(R"(,"android":{"restrictedPackageName":"com.example.mail"})")).Get(":status"),
      "200");
  const H2TestClient::Response answer =
      Post(Message(R"(,"android":{"restricted_package_name":"com.example.chat"})"));
  EXPECT_EQ(Told(answer), "400 INVALID_ARGUMENT");
  EXPECT_EQ(json::parse(answer.body)["error"]["details"][1]["fieldViolations"][0]["field"],
            "message.android.restrictedPackageName");
}

TEST_F(FcmDoorTest, ARepetitionWithAKeyIsTheSameMessage) {
  constexpr char kId[] = "123e4567-e89b-42d3-a456-426614174000";
  const H2TestClient::Response answer = Post(Message(), kPath, {{"idempotency-key", kId}});
  EXPECT_EQ(json::parse(answer.body)["name"], absl::StrCat("projects/teamteam22/messages/", kId));
  EXPECT_EQ(Told(Post(Message(), kPath, {{"idempotency-key", "x"}})), "400 INVALID_ARGUMENT");
}

TEST_F(FcmDoorTest, AMessageForATopicIsPublished) {
  std::vector<internal::v1::PublishTopicRequest> published;
  path_.registry.publish = [&](const internal::v1::PublishTopicRequest& request) {
    published.push_back(request);
    return internal::v1::PublishTopicResponse();
  };
  H2TestClient::Response answer =
      Post(R"({"message":{"topic":"news","data":{"a":"b"},)"
           R"("android":{"restrictedPackageName":"com.example.mail"}}})");
  ASSERT_EQ(answer.Get(":status"), "200") << answer.body;
  answer = Post(R"json({"message":{"condition":"'a' in topics && !('b' in topics)"}})json");
  ASSERT_EQ(answer.Get(":status"), "200") << answer.body;
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].team_id(), TestSendPath::kTeam);
  EXPECT_EQ(published[0].topic(), "news");
  EXPECT_EQ(published[0].app_id(), "com.example.mail");
  EXPECT_EQ(published[0].message().payload(), R"({"data":{"a":"b"}})");
  EXPECT_EQ(published[0].message().content().door(), internal::v1::Content::FCM);
  EXPECT_EQ(published[1].topics_size(), 2);

  answer = Post(R"({"validate_only":true,"message":{"topic":"news"}})");
  EXPECT_EQ(json::parse(answer.body)["name"], "projects/teamteam22/messages/fake_message_id");
  EXPECT_EQ(published.size(), 2u);
  EXPECT_EQ(Told(Post(R"({"message":{"topic":"a b"}})")), "400 INVALID_ARGUMENT");
  EXPECT_EQ(Told(Post(R"({"message":{"condition":"'a' in"}})")), "400 INVALID_ARGUMENT");
}

}  // namespace
}  // namespace bellwire::gateway::fcm
