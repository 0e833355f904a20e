#include "gateway/doors/apns/apns_door.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/error.h"
#include "common/limits.h"
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

  TestSendPath path_;
  ProviderTokens provider_tokens_{&path_.clock};
  ApnsDoor door_{&path_.authenticator, &path_.engine, path_.sealer.get(), &provider_tokens_,
                 &path_.clock};
  H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(ApnsDoorTest, ANotificationIsStoredAndAnsweredWithoutABody) {
  const H2TestClient::Response answer = Post(kAlert, {{"apns-id", kId}, {"apns-priority", "5"}});
  EXPECT_EQ(answer.Get(":status"), "200");
  EXPECT_EQ(answer.Get("apns-id"), kId);
  EXPECT_EQ(answer.body, "");
  ASSERT_EQ(path_.appended.size(), 1u);
  const internal::v1::AppendRequest& append = path_.appended[0];
  EXPECT_EQ(append.team_id(), TestSendPath::kTeam);
  EXPECT_EQ(append.message().payload(), kAlert);
  EXPECT_EQ(append.message().content().door(), internal::v1::Content::APNS);
  EXPECT_EQ(append.message().priority(), push::v1::PRIORITY_NORMAL);
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

TEST_F(ApnsDoorTest, AForeignTeamsTopicIsNotTheTokensFault) {
  path_.append_error =
      MakeError(absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM", "Another team's.");
  EXPECT_EQ(Post(kAlert).body, R"({"reason":"TopicDisallowed"})");
}

TEST_F(ApnsDoorTest, AllMessagesWaitUnlessTheTeamWantsTheNewestOnly) {
  Post(kAlert);
  EXPECT_EQ(path_.appended.at(0).message().collapse_key(), "");
  path_.apns_store_one = true;
  path_.clock.Advance(kMaxKeyAge);
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
