#include "gateway/doors/ntfy/ntfy_door.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using http::Fields;
using http::GetFields;
using http::H2TestClient;
using http::PostFields;

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";
constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class NtfyDoorTest : public ::testing::Test {
 protected:
  struct Answer {
    std::string status;
    nlohmann::json json;
    H2TestClient::Response response;
  };

  Answer Take(int32_t stream) {
    harness_.Run();
    const H2TestClient::Response& response = harness_.client.response(stream);
    return {response.Get(":status"), nlohmann::json::parse(response.body, nullptr, false),
            response};
  }
  Fields WithBearer(Fields more) const {
    more.push_back({"authorization", path_.SendOnlyBearer()});
    return more;
  }
  Answer Post(absl::string_view path, const std::string& body, Fields more = {}) {
    return Take(harness_.client.Request(PostFields(path, WithBearer(std::move(more))), body));
  }
  const internal::v1::Envelope& sent() const { return path_.appended.back().message(); }

  TestSendPath path_;
  NtfyDoor door_{{.authenticator = &path_.authenticator,
                  .aliases = &path_.aliases,
                  .engine = &path_.engine,
                  .clock = &path_.clock}};
  http::H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(NtfyDoorTest, PublishesToTheDeviceBehindTheAlias) {
  const Answer answer = Post("/ntfy/phone", "You have mail",
                             {{"title", "Mail"}, {"p", "2"}, {"traceparent", kTrace}});
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.json["event"], "message");
  EXPECT_EQ(answer.json["topic"], "phone");
  EXPECT_EQ(answer.json["message"], "You have mail");
  const int64_t now = absl::ToUnixSeconds(path_.clock.WallNow());
  EXPECT_EQ(answer.json["time"], now);
  EXPECT_EQ(answer.json["expires"], now + absl::ToInt64Seconds(kMaxTtl));
  ASSERT_EQ(path_.appended.size(), 1u);
  EXPECT_EQ(path_.appended[0].team_id(), TestSendPath::kTeam);
  EXPECT_EQ(path_.appended[0].registration_id(), 42u);
  EXPECT_EQ(FormatUuid(*MessageId::FromBytes(sent().message_id())), answer.json["id"]);
  EXPECT_EQ(sent().content().door(), internal::v1::Content::NTFY);
  EXPECT_EQ(sent().priority(), push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(FormatTraceparent(sent().trace_context()), kTrace);
  // The app gets what a subscriber of ntfy would.
  EXPECT_EQ(nlohmann::json::parse(sent().payload()), answer.json);
}

TEST_F(NtfyDoorTest, JsonIsPublishedAtTheRoot) {
  for (const char* path : {"/", "/ntfy", "/ntfy/"}) {
    const Answer answer = Post(path, R"({"topic":"phone","message":"m"})");
    EXPECT_EQ(answer.status, "200") << path;
    EXPECT_EQ(answer.json["message"], "m") << path;
  }
  http::RequestHead head;
  head.path = "/";
  head.method = "GET";
  EXPECT_FALSE(door_.Matches(head));
  head.path = "/ntfyx";
  EXPECT_FALSE(door_.Matches(head));
}

TEST_F(NtfyDoorTest, AQueryIsEnough) {
  const std::string auth = absl::WebSafeBase64Escape(absl::StrCat("Bearer ", path_.access_token));
  const Answer answer = Take(harness_.client.Request(
      GetFields(absl::StrCat("/ntfy/phone/publish?message=hi&auth=", auth))));
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.json["message"], "hi");
}

TEST_F(NtfyDoorTest, BasicAndJwtAreTaken) {
  const auto with = [&](const std::string& authorization) {
    return Take(harness_.client.Request(
                    PostFields("/ntfy/phone", {{"authorization", authorization}}), "m"))
        .status;
  };
  EXPECT_EQ(
      with(absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat("me:", path_.access_token)))),
      "200");
  EXPECT_EQ(with(path_.Bearer()), "200");
  EXPECT_EQ(with(path_.BearerWith(TestSendPath::kGoodClaims)), "200");
  EXPECT_EQ(with(path_.BearerWith(TestSendPath::kForeignClaims)), "401");
  EXPECT_EQ(with(path_.BearerWith(TestSendPath::kExpiredClaims)), "401");
  EXPECT_EQ(with(absl::StrCat("Bearer ", NewAccessToken(TestSendPath::kTokenKeyId))), "401");
}

TEST_F(NtfyDoorTest, WithoutACredentialNothingIsSent) {
  const Answer answer = Take(harness_.client.Request(PostFields("/ntfy/phone"), "m"));
  EXPECT_EQ(answer.status, "401");
  EXPECT_EQ(answer.json["code"], 40101);
  EXPECT_EQ(answer.json["http"], 401);
  EXPECT_TRUE(path_.appended.empty());
}

TEST_F(NtfyDoorTest, ErrorsHaveTheCodesOfNtfy) {
  const Answer unknown = Post("/ntfy/tablet", "m");
  EXPECT_EQ(unknown.status, "404");
  EXPECT_EQ(unknown.json["code"], 40401);
  EXPECT_TRUE(absl::StrContains(unknown.json["error"].get<std::string>(), "bellwire alias create"));
  EXPECT_EQ(Post("/ntfy/Phone", "m").json["code"], 40401);
  EXPECT_EQ(Post("/ntfy/a.b", "m").json["code"], 40009);
  const Answer large = Post("/ntfy/phone", std::string(kMaxPayloadBytes, 'x'));
  EXPECT_EQ(large.status, "413");
  EXPECT_EQ(large.json["code"], 41301);
  EXPECT_EQ(Post("/ntfy/phone", std::string(40'000, 'x')).json["code"], 41301);
  path_.append_error = WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL", "full"), absl::Seconds(3));
  const Answer full = Post("/ntfy/phone", "m");
  EXPECT_EQ(full.status, "429");
  EXPECT_EQ(full.json["code"], 42901);
  EXPECT_EQ(full.response.Get("retry-after"), "3");
  path_.append_error = absl::UnavailableError("down");
  EXPECT_EQ(Post("/ntfy/phone", "m").status, "503");
}

TEST_F(NtfyDoorTest, WithoutCacheItIsNowOrNever) {
  const Answer answer = Post("/ntfy/phone", "m", {{"cache", "no"}});
  EXPECT_EQ(answer.status, "200");
  EXPECT_FALSE(answer.json.contains("expires"));
  EXPECT_EQ(sent().expires_at_ms(), sent().accepted_at_ms());
}

TEST_F(NtfyDoorTest, ADelayedMessageWaits) {
  const Answer answer = Post("/ntfy/phone", "m", {{"in", "1h"}});
  const absl::Time at = path_.clock.WallNow() + absl::Hours(1);
  EXPECT_EQ(answer.json["time"], absl::ToUnixSeconds(at));
  EXPECT_EQ(sent().deliver_at_ms() / 1000, absl::ToUnixSeconds(at));
}

TEST_F(NtfyDoorTest, ARepetitionIsTheSameMessage) {
  const Fields key = {{"idempotency-key", kUuid}};
  EXPECT_EQ(Post("/ntfy/phone", "m", key).json["id"], kUuid);
  path_.clock.Advance(absl::Seconds(5));
  EXPECT_EQ(
      Post("/ntfy/phone", "m", {{"idempotency-key", absl::StrCat("\"", kUuid, "\"")}}).json["id"],
      kUuid);
  EXPECT_EQ(path_.appended[0].message().payload(), path_.appended[1].message().payload());
  EXPECT_EQ(path_.appended[0].message().message_id(), path_.appended[1].message().message_id());
}

TEST_F(NtfyDoorTest, SaysThatItIsHealthy) {
  const Answer answer = Take(harness_.client.Request(GetFields("/ntfy/v1/health")));
  EXPECT_EQ(answer.status, "200");
  EXPECT_EQ(answer.json["healthy"], true);
}

}  // namespace
}  // namespace bellwire::gateway
