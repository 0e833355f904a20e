#include "gateway/doors/apns/apns_door.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/send/validator.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"

namespace bellwire::gateway::apns {
namespace {

using http::Fields;
using http::H2Harness;
using http::H2TestClient;
using http::PostFields;

constexpr char kAlert[] = R"({"aps":{"alert":"You have mail"}})";
constexpr char kId[] = "123e4567-e89b-42d3-a456-426614174000";
constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class ApnsDoorTest : public ::testing::Test {
 protected:
  H2TestClient::Response Post(const std::string& body, Fields more = {}) {
    Fields fields =
        PostFields(absl::StrCat("/3/device/", path_.Token()),
                   {{"authorization", path_.Bearer()}, {"apns-topic", "com.example.mail"}});
    for (auto& field : more) fields.push_back(std::move(field));
    const int32_t stream = harness_.client.Request(fields, body);
    harness_.Run();
    return harness_.client.response(stream);
  }

  // A request of channels.
  H2TestClient::Response Ask(const std::string& method, const std::string& path,
                             const std::string& body = "", Fields more = {}) {
    Fields fields = PostFields(path, {{"authorization", path_.Bearer()}});
    for (auto& field : fields) {
      if (field.first == ":method") field.second = method;
    }
    for (auto& field : more) fields.push_back(std::move(field));
    const int32_t stream = harness_.client.Request(fields, body);
    harness_.Run();
    return harness_.client.response(stream);
  }

  TestSendPath path_;
  ProviderTokens provider_tokens_{&path_.clock};
  ApnsDoor door_{&path_.authenticator, &path_.engine,     path_.sealer.get(),
                 &path_.topic_engine,  &provider_tokens_, &path_.clock};
  H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(ApnsDoorTest, ANotificationIsStoredAndAnsweredWithoutABody) {
  const H2TestClient::Response answer =
      Post(kAlert, {{"apns-id", kId}, {"apns-priority", "5"}, {"traceparent", kTrace}});
  EXPECT_EQ(answer.Get(":status"), "200");
  EXPECT_EQ(answer.Get("apns-id"), kId);
  EXPECT_EQ(answer.body, "");
  ASSERT_EQ(path_.appended.size(), 1u);
  const internal::v1::AppendRequest& append = path_.appended[0];
  EXPECT_EQ(append.team_id(), TestSendPath::kTeam);
  EXPECT_EQ(append.message().payload(), kAlert);
  EXPECT_EQ(append.message().content().door(), internal::v1::Content::APNS);
  EXPECT_EQ(append.message().priority(), push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(FormatTraceparent(append.message().trace_context()), kTrace);
}

TEST_F(ApnsDoorTest, AnIdIsMadeWhereTheCallerGaveNone) {
  EXPECT_EQ(Post(kAlert).Get("apns-id").size(), 36u);
}

TEST_F(ApnsDoorTest, EveryErrorHasItsReasonAndAnId) {
  path_.append_error =
      MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "It is away.");
  const H2TestClient::Response answer = Post(kAlert, {{"apns-id", kId}});
  EXPECT_EQ(answer.Get(":status"), "503");
  EXPECT_EQ(answer.Get("apns-id"), kId);
  EXPECT_EQ(answer.body, R"({"reason":"ServiceUnavailable"})");
}

TEST_F(ApnsDoorTest, ABodyBeyondTheBoundIsTooLarge) {
  const H2TestClient::Response answer = Post(std::string(5000, ' '));
  EXPECT_EQ(answer.Get(":status"), "413");
  EXPECT_EQ(answer.body, R"({"reason":"PayloadTooLarge"})");
  EXPECT_EQ(answer.Get("apns-id").size(), 36u);
}

TEST_F(ApnsDoorTest, TokensOfBeforeNameTheSameRegistration) {
  const TokenContents contents = *path_.sealer->Open(path_.Token());
  const int32_t stream = harness_.client.Request(
      PostFields(absl::StrCat("/3/device/", path_.sealer->SealShort(contents)),
                 {{"authorization", path_.Bearer()}, {"apns-topic", "com.example.mail"}}),
      kAlert);
  harness_.Run();
  EXPECT_EQ(harness_.client.response(stream).Get(":status"), "200");
  EXPECT_EQ(path_.appended.at(0).registration_id(), contents.registration_id);
}

// aioapns looks for its request by the id of the answer, letter by letter.
TEST_F(ApnsDoorTest, TheIdOfTheAnswerIsTheRequestsAsItCame) {
  const std::string id = absl::AsciiStrToUpper(kId);
  EXPECT_EQ(Post(kAlert, {{"apns-id", id}}).Get("apns-id"), id);
  const H2TestClient::Response refused = Post(kAlert, {{"apns-id", "no uuid"}});
  EXPECT_EQ(refused.body, R"({"reason":"BadMessageId"})");
  EXPECT_EQ(refused.Get("apns-id"), "no uuid");
}

TEST_F(ApnsDoorTest, ATeamThatComesWithAJwtForEachMessageIsToldSo) {
  for (size_t i = 0; i + 1 < kMaxProviderTokensPerPeriod; ++i) {
    EXPECT_FALSE(provider_tokens_.Refuse(TestSendPath::kTeam, absl::StrCat("jwt ", i)));
  }
  // The JWTs of two calls differ in their signature.
  EXPECT_EQ(Post(kAlert).Get(":status"), "200");
  const H2TestClient::Response answer = Post(kAlert);
  EXPECT_EQ(answer.Get(":status"), "429");
  EXPECT_EQ(answer.body, R"({"reason":"TooManyProviderTokenUpdates"})");
  EXPECT_EQ(answer.Get("retry-after"), "1200");
  EXPECT_EQ(path_.appended.size(), 1u);
}

TEST_F(ApnsDoorTest, AudienceAndExpiryOfAJwtCount) {
  const auto with = [this](const char* claims) {
    const int32_t stream = harness_.client.Request(
        PostFields(absl::StrCat("/3/device/", path_.Token()),
                   {{"authorization", path_.BearerWith(claims)},
                    {"apns-topic", "com.example.mail"}}),
        kAlert);
    harness_.Run();
    return harness_.client.response(stream).body;
  };
  EXPECT_EQ(with(TestSendPath::kForeignClaims), R"({"reason":"InvalidProviderToken"})");
  EXPECT_EQ(with(TestSendPath::kExpiredClaims), R"({"reason":"ExpiredProviderToken"})");
  EXPECT_TRUE(path_.appended.empty());
  EXPECT_EQ(with(TestSendPath::kGoodClaims), "");
  EXPECT_EQ(path_.appended.size(), 1u);
}

TEST_F(ApnsDoorTest, ATeamBeyondItsQuotaIsToldTooManyRequests) {
  path_.append_error = WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED", "Too much."),
      absl::Milliseconds(1500));
  const H2TestClient::Response answer = Post(kAlert);
  EXPECT_EQ(answer.Get(":status"), "429");
  EXPECT_EQ(answer.body, R"({"reason":"TooManyRequests"})");
  EXPECT_EQ(answer.Get("retry-after"), "2");
}

TEST_F(ApnsDoorTest, AForeignTeamsTopicIsNotTheTokensFault) {
  path_.append_error =
      MakeError(absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM", "Another team's.");
  EXPECT_EQ(Post(kAlert).body, R"({"reason":"TopicDisallowed"})");
}

TEST_F(ApnsDoorTest, AllMessagesWaitUnlessTheTeamWantsTheNewestOnly) {
  Post(kAlert);
  EXPECT_EQ(path_.appended.at(0).message().collapse_key(), "");
  path_.apns_store_one = true;
  path_.clock.Advance(kKeyFreshness);
  Post(kAlert);
  Post(kAlert);
  Post(kAlert, {{"apns-collapse-id", "inbox"}});
  ASSERT_EQ(path_.appended.size(), 4u);
  const std::string key = path_.appended[1].message().collapse_key();
  EXPECT_NE(key, "");
  EXPECT_EQ(path_.appended[2].message().collapse_key(), key);
  EXPECT_EQ(path_.appended[3].message().collapse_key(), "inbox");
  push::v1::SendRequest request;
  request.set_collapse_key(key);
  EXPECT_EQ(ErrorReason(ValidateSend(request, path_.clock.WallNow()).status()), "BAD_COLLAPSE_KEY")
      << "no caller can say it";
}

TEST_F(ApnsDoorTest, AChannelIsAKeptTopicOfItsApp) {
  std::vector<internal::v1::PutTopicRequest> put;
  path_.registry.put_topic = [&put](const internal::v1::PutTopicRequest& request)
      -> absl::StatusOr<internal::v1::KeptTopic> {
    put.push_back(request);
    internal::v1::KeptTopic topic = request.topic();
    topic.set_note("1");
    return topic;
  };
  std::vector<internal::v1::PublishTopicRequest> published;
  path_.registry.publish = [&published](const internal::v1::PublishTopicRequest& request)
      -> absl::StatusOr<internal::v1::PublishTopicResponse> {
    published.push_back(request);
    return internal::v1::PublishTopicResponse();
  };
  const std::string channels = "/1/apps/com.example.mail/channels";
  const H2TestClient::Response made =
      Ask("POST", channels, R"({"message-storage-policy":1,"push-type":"LiveActivity"})",
          {{"apns-request-id", kId}});
  EXPECT_EQ(made.Get(":status"), "201");
  EXPECT_EQ(made.Get("apns-request-id"), kId);
  const std::string id = made.Get("apns-channel-id");
  EXPECT_EQ(id.size(), 20u);
  ASSERT_EQ(put.size(), 1u);
  EXPECT_EQ(put[0].change(), internal::v1::PutTopicRequest::MAKE);
  EXPECT_EQ(put[0].topic().team_id(), TestSendPath::kTeam);
  EXPECT_EQ(put[0].topic().name(), absl::StrCat("apns-channel.com.example.mail.", id));
  EXPECT_EQ(put[0].topic().app_id(), "com.example.mail");

  EXPECT_EQ(Ask("GET", channels, "", {{"apns-channel-id", id}}).body,
            R"({"message-storage-policy":1,"push-type":"LiveActivity"})");
  EXPECT_EQ(Ask("POST", "/4/broadcasts/apps/com.example.mail", kAlert,
                {{"apns-channel-id", id},
                 {"apns-push-type", "liveactivity"},
                 {"traceparent", kTrace}})
                .Get(":status"),
            "200");
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(FormatTraceparent(published[0].message().trace_context()), kTrace);
  EXPECT_EQ(published[0].topic(), put[0].topic().name());
  EXPECT_EQ(published[0].app_id(), "com.example.mail");
  EXPECT_EQ(published[0].message().payload(), kAlert);
  EXPECT_EQ(published[0].message().content().door(), internal::v1::Content::APNS);
  EXPECT_EQ(Ask("DELETE", channels, "", {{"apns-channel-id", id}}).Get(":status"), "204");
  EXPECT_EQ(put.back().change(), internal::v1::PutTopicRequest::REMOVE);

  path_.registry.put_topic = [](const internal::v1::PutTopicRequest&)
      -> absl::StatusOr<internal::v1::KeptTopic> {
    return MakeError(absl::StatusCode::kNotFound, "TOPIC_NOT_FOUND", "there is none");
  };
  const H2TestClient::Response gone = Ask("GET", channels, "", {{"apns-channel-id", id}});
  EXPECT_EQ(gone.Get(":status"), "400");
  EXPECT_EQ(gone.body, R"({"reason":"ChannelNotRegistered"})");
}

TEST_F(ApnsDoorTest, AllChannelsOfAnAppAreListedPageByPage) {
  int pages = 0;
  path_.registry.list_topics = [&pages](const internal::v1::ListTopicsRequest& request)
      -> absl::StatusOr<internal::v1::ListTopicsResponse> {
    EXPECT_TRUE(request.kept_only());
    internal::v1::ListTopicsResponse response;
    for (const char* rest : {"aaaaaaaaaaaaaaaaaaaa", "beta.bbbbbbbbbbbbbbbbbbbb"}) {
      response.add_topics()->set_name(
          absl::StrCat("apns-channel.com.example.mail.", pages == 0 ? "" : "z", rest));
    }
    response.set_more(++pages == 1);
    return response;
  };
  EXPECT_EQ(Ask("GET", "/1/apps/com.example.mail/all-channels").body,
            R"({"channels":["aaaaaaaaaaaaaaaaaaaa"]})");
  EXPECT_EQ(pages, 2);
}

TEST_F(ApnsDoorTest, AProviderTokenThatIsTooOldIsSaidToBe) {
  Fields fields =
      PostFields(absl::StrCat("/3/device/", path_.Token()),
                 {{"authorization", path_.Bearer()}, {"apns-topic", "com.example.mail"}});
  path_.clock.Advance(absl::Hours(2));
  const int32_t stream = harness_.client.Request(fields, kAlert);
  harness_.Run();
  EXPECT_EQ(harness_.client.response(stream).Get(":status"), "403");
  EXPECT_EQ(harness_.client.response(stream).body, R"({"reason":"ExpiredProviderToken"})");
}

}  // namespace
}  // namespace bellwire::gateway::apns
