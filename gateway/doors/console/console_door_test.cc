#include "gateway/doors/console/console_door.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/public_urls.h"
#include "common/testing/temp_dir.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/admin/admin_service.h"
#include "gateway/admin/administrators.h"
#include "gateway/admin/audit_log.h"
#include "gateway/admin/support_service.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/http/testing/h1_harness.h"
#include "gateway/send/send_engine.h"
#include "gateway/testing/fake_registry.h"
#include "gateway/topics/topic_engine.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using nlohmann::json;

constexpr char kTeam[] = "teamteam22";
constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

// A console before a fake registry, and a browser that is the test.
class ConsoleDoorTest : public ::testing::Test {
 protected:
  ConsoleDoorTest() {
    SetAdministrators({{"reader", AdminRole::kReadOnly}, {"olga", AdminRole::kOwner}});
    admin_.AddTo(&methods_);
    support_.AddTo(&methods_);
    registry_.list_teams =
        [](const admin::v1::ListTeamsRequest&) -> absl::StatusOr<admin::v1::ListTeamsResponse> {
      admin::v1::ListTeamsResponse response;
      response.add_teams()->set_team_id(kTeam);
      response.mutable_teams(0)->set_name("Post & \"Co\"");
      return response;
    };
  }

  void TearDown() override { harness_.thread->End(); }

  // Each one's token is "token of NAME".
  void SetAdministrators(const std::vector<Administrator>& administrators) {
    std::vector<AdministratorEntry> entries;
    for (const Administrator& who : administrators) {
      entries.push_back({who, DigestOfToken(absl::StrCat("token of ", who.name))});
    }
    ASSERT_TRUE(ReplaceFileAtomically(dir_.path("admins"), RenderAdministrators(entries),
                                      FileAccess::kPrivate)
                    .ok());
  }

  std::string Get(absl::string_view path) {
    return harness_.Ask(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: console.example\r\n\r\n"));
  }
  // With the cookie of the login, and `fields` beside those that the page sends.
  std::string Post(absl::string_view path, absl::string_view body,
                   absl::string_view fields =
                       "x-bellwire-console: 1\r\n"
                       "content-type: application/json\r\n") {
    std::string request = absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: console.example\r\n",
                                       "content-length: ", body.size(), "\r\n", fields);
    if (!cookie_.empty()) absl::StrAppend(&request, "cookie: a=b; ", cookie_, "\r\n");
    return harness_.Ask(absl::StrCat(request, "\r\n", body));
  }
  static int StatusOf(const std::string& answer) { return std::stoi(answer.substr(9, 3)); }
  static json BodyOf(const std::string& answer) {
    return json::parse(answer.substr(answer.find("\r\n\r\n") + 4), nullptr, false);
  }
  static std::string ReasonOf(const std::string& answer) {
    const json body = BodyOf(answer);
    return body.value("/error/details/0/reason"_json_pointer, "");
  }
  // Keeps the cookie.
  std::string Login(const std::string& name, const std::string& token) {
    const std::string answer = Post("/api/login", json({{"name", name}, {"token", token}}).dump());
    const size_t at = answer.find("set-cookie: ");
    if (at != std::string::npos) {
      cookie_ = answer.substr(at + 12, answer.find(';', at) - at - 12);
    }
    return answer;
  }

  const TempDir dir_;
  FakeRegistry registry_;
  const std::unique_ptr<TokenSealer> sealer_ = TokenSealer::ForTesting();
  AdminCredential credential_{"the admin token", RealClock(), dir_.path("admins")};
  AuditLog audit_{dir_.path("audit.log"), RealClock()};
  AdminGate gate_{&credential_, &audit_, &registry_, &registry_};
  SendEngine engine_{{.sealer = sealer_.get(), .mailboxes = &registry_, .clock = RealClock()}};
  TopicEngine topics_{{.sealer = sealer_.get(),
                       .topics = &registry_,
                       .calls = engine_.calls(),
                       .clock = RealClock()}};
  DrainSignal drain_;
  AdminService admin_{&gate_,     &registry_,    &registry_,  &registry_,
                      &registry_, sealer_.get(), RealClock(), PublicUrls()};
  SupportService support_{{.gate = &gate_,
                           .engine = &engine_,
                           .topics = &topics_,
                           .drain = &drain_,
                           .sealer = sealer_.get(),
                           .mailboxes = &registry_,
                           .feeds = &registry_,
                           .clock = RealClock()}};
  MethodTable methods_;
  LiveMetrics metrics_;
  ConsoleDoor door_{
      {.gate = &gate_, .methods = &methods_, .metrics = &metrics_, .clock = RealClock()}};
  std::string cookie_;
  http::H1Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(ConsoleDoorTest, ServesThePageUnderAStrictPolicy) {
  const std::string page = Get("/");
  EXPECT_EQ(StatusOf(page), 200);
  EXPECT_TRUE(absl::StrContains(page, "content-type: text/html; charset=utf-8\r\n")) << page;
  EXPECT_TRUE(absl::StrContains(page, "default-src 'none'; script-src 'self'"));
  EXPECT_FALSE(absl::StrContains(page, "unsafe-inline"));
  EXPECT_TRUE(absl::StrContains(page, "cache-control: no-cache\r\n"));
  // Everything that the page names is there, and never changes under its name.
  size_t found = 0;
  for (const console::Asset& asset : console::Assets()) {
    if (!absl::StartsWith(asset.path, "/assets/")) continue;
    ++found;
    const std::string answer = Get(asset.path);
    EXPECT_EQ(StatusOf(answer), 200) << asset.path;
    EXPECT_TRUE(absl::StrContains(answer, "immutable")) << asset.path;
  }
  EXPECT_GE(found, 2u);
  EXPECT_EQ(StatusOf(Get("/nothing")), 404);
  EXPECT_EQ(StatusOf(Get("/assets/../../etc/passwd")), 404);
  EXPECT_EQ(StatusOf(Post("/", "")), 405);
  EXPECT_EQ(StatusOf(Get("/api/who")), 405);
}

TEST_F(ConsoleDoorTest, ALoginSaysWhoItIsAndWhatThatMayDo) {
  const std::string answer = Login("reader", "token of reader");
  ASSERT_EQ(StatusOf(answer), 200) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200\r\n"))
      << answer;
  EXPECT_FALSE(absl::StrContains(answer, "Secure")) << "this port has no TLS";
  const json body = BodyOf(answer);
  EXPECT_EQ(body["name"], "reader");
  EXPECT_EQ(body["role"], "read-only");
  EXPECT_EQ(body["team_id"], "");
  const std::vector<std::string> may = body["may"];
  const auto is_in = [&may](const char* method) {
    return std::find(may.begin(), may.end(), method) != may.end();
  };
  EXPECT_TRUE(is_in("AdminService/ListTeams"));
  EXPECT_TRUE(is_in("SupportService/WatchReceipts"));
  EXPECT_FALSE(is_in("AdminService/CreateTeam"));
  EXPECT_FALSE(is_in("SupportService/SendTest"));
  EXPECT_EQ(BodyOf(Post("/api/who", "{}")), body);
  // Whoever has the server's admin token.
  EXPECT_EQ(BodyOf(Login("admin.token", "the admin token"))["role"], "owner");
}

TEST_F(ConsoleDoorTest, AWrongNameOrTokenIsNoLogin) {
  for (const auto& [name, token] : std::vector<std::pair<std::string, std::string>>{
           {"reader", "guess"}, {"olga", "token of reader"}, {"", ""}, {"", "token of reader"}}) {
    const std::string answer = Login(name, token);
    EXPECT_EQ(StatusOf(answer), 401) << name;
    EXPECT_EQ(ReasonOf(answer), "BAD_CREDENTIAL") << answer;
    EXPECT_TRUE(cookie_.empty());
  }
  // The brake of the admin API is on after many of them.
  for (size_t i = 0; i < kMaxWrongAdminTokens; ++i) Login("reader", "guess");
  EXPECT_EQ(StatusOf(Login("reader", "guess")), 429);
  EXPECT_EQ(StatusOf(Login("reader", "token of reader")), 200) << "nobody can lock others out";
}

TEST_F(ConsoleDoorTest, NothingIsAnsweredWithoutALogin) {
  for (const char* path : {"/api/rpc/AdminService/ListTeams", "/api/live/overview",
                           "/api/live/message", "/api/live/receipts", "/api/live/fleet"}) {
    const std::string answer = Post(path, "{}");
    EXPECT_EQ(StatusOf(answer), 401) << path;
    EXPECT_EQ(ReasonOf(answer), "NO_SESSION") << path;
  }
  EXPECT_EQ(BodyOf(Post("/api/who", "{}")), json::object());
  cookie_ = "bellwire=0000";
  EXPECT_EQ(BodyOf(Post("/api/who", "{}")), json::object());
}

TEST_F(ConsoleDoorTest, ALogoutEndsTheSession) {
  Login("olga", "token of olga");
  EXPECT_EQ(StatusOf(Post("/api/who", "{}")), 200);
  const std::string answer = Post("/api/logout", "{}");
  EXPECT_EQ(StatusOf(answer), 200);
  EXPECT_TRUE(absl::StrContains(answer, "set-cookie: bellwire=; ")) << answer;
  EXPECT_EQ(BodyOf(Post("/api/who", "{}")), json::object()) << "the old cookie is good for nothing";
}

TEST_F(ConsoleDoorTest, OtherSitesGetNothing) {
  Login("olga", "token of olga");
  const std::string good = "x-bellwire-console: 1\r\ncontent-type: application/json\r\n";
  EXPECT_EQ(StatusOf(Post("/api/who", "{}",
                          good + "origin: http://console.example\r\n"
                                 "sec-fetch-site: same-origin\r\n")),
            200);
  for (const std::string& fields : std::vector<std::string>{
           "content-type: application/json\r\n",
           good + "origin: https://evil.example\r\n",
           good + "origin: null\r\n",
           good + "sec-fetch-site: cross-site\r\n",
           good + "sec-fetch-site: same-site\r\n",
       }) {
    const std::string answer = Post("/api/who", "{}", fields);
    EXPECT_EQ(StatusOf(answer), 403) << fields;
    EXPECT_EQ(ReasonOf(answer), "CROSS_SITE") << fields;
  }
  // What a form of another site could send.
  const std::string form =
      Post("/api/who", "{}", "x-bellwire-console: 1\r\ncontent-type: text/plain\r\n");
  EXPECT_EQ(StatusOf(form), 415);
  EXPECT_EQ(ReasonOf(form), "NOT_JSON");
}

TEST_F(ConsoleDoorTest, CallsTheAdminApiInTheAdministratorsPlace) {
  Login("reader", "token of reader");
  const std::string answer = Post("/api/rpc/AdminService/ListTeams", "{}");
  ASSERT_EQ(StatusOf(answer), 200) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "cache-control: no-store\r\n"));
  EXPECT_EQ(BodyOf(answer)["teams"][0]["teamId"], kTeam);
  EXPECT_EQ(BodyOf(answer)["teams"][0]["name"], "Post & \"Co\"");
  const std::string refused = Post("/api/rpc/AdminService/CreateTeam", "{\"name\":\"another\"}");
  EXPECT_EQ(StatusOf(refused), 403);
  EXPECT_EQ(ReasonOf(refused), "ADMIN_ROLE");
  EXPECT_EQ(ReasonOf(Post("/api/rpc/AdminService/ListTeams", "{\"no_such_field\":1}")),
            "MALFORMED_JSON");
  for (const char* method : {"AdminService/Nothing", "SupportService/WatchReceipts", "",
                             "../push.v1.PushService/Send"}) {
    EXPECT_EQ(ReasonOf(Post(absl::StrCat("/api/rpc/", method), "{}")), "NO_SUCH_METHOD") << method;
  }
}

TEST_F(ConsoleDoorTest, AnAdministratorWhoWasRemovedIsLoggedOutWithTheNextCall) {
  Login("reader", "token of reader");
  SetAdministrators({});
  EXPECT_EQ(StatusOf(Post("/api/rpc/AdminService/ListTeams", "{}")), 401);
  SetAdministrators({{"reader", AdminRole::kReadOnly}});
  EXPECT_EQ(BodyOf(Post("/api/who", "{}")), json::object());
}

TEST_F(ConsoleDoorTest, AMessageIsToldAsAStory) {
  registry_.get_message = [](const internal::v1::GetMessageRequest& request)
      -> absl::StatusOr<internal::v1::GetMessageResponse> {
    EXPECT_EQ(request.team_id(), kTeam);
    internal::v1::GetMessageResponse response;
    push::v1::GetMessageResponse& message = *response.mutable_message();
    message.set_message_id(kUuid);
    message.set_app_id("com.example.mail");
    message.add_receipts()->set_step(push::v1::ACCEPTED);
    message.add_receipts()->set_step(push::v1::NOT_CONNECTED);
    message.set_state(push::v1::NOT_CONNECTED);
    message.set_terminal(true);
    return response;
  };
  Login("reader", "token of reader");
  const std::string token = sealer_->Seal({.device_id = *DeviceId::FromBytes("0123456789abcdef"),
                                           .registration_id = 42,
                                           .app_tag = AppTag("com.example.mail")});
  harness_.thread->set_current(false);
  std::string got = Post(
      "/api/live/message",
      json(
          {{"team_id", kTeam}, {"token", token}, {"message_id", kUuid}, {"utc_offset_minutes", 60}})
          .dump());
  while (!absl::StrContains(got, "event: end")) {
    harness_.thread->AwaitPosted();
    harness_.thread->RunPosted();
    got += harness_.TakeOutput();
  }
  EXPECT_TRUE(absl::StrContains(got, "\"headline\":\"The phone was not there")) << got;
  EXPECT_TRUE(absl::StrContains(got, "\"state\":\"NOT_CONNECTED\"")) << got;
  EXPECT_TRUE(absl::StrContains(got, "event: end\ndata: {}\n\n")) << got;
}

TEST_F(ConsoleDoorTest, AnAdministratorOfOneTeamSeesNothingOfTheServers) {
  SetAdministrators({{"tina", AdminRole::kOperator, kTeam}});
  const json body = BodyOf(Login("tina", "token of tina"));
  EXPECT_EQ(body["team_id"], kTeam);
  const std::vector<std::string> may = body["may"];
  for (const char* method : {"AdminService/SetQuota", "DeviceService/ListDevices"}) {
    EXPECT_EQ(std::find(may.begin(), may.end(), method), may.end()) << method;
  }
  EXPECT_NE(std::find(may.begin(), may.end(), "AdminService/GetQuota"), may.end());
  for (const char* what : {"overview", "fleet"}) {
    EXPECT_EQ(ReasonOf(Post(absl::StrCat("/api/live/", what), "{}")), "ADMIN_TEAM") << what;
  }
  EXPECT_EQ(ReasonOf(Post("/api/rpc/AdminService/SetQuota", "{\"subject\":{\"kind\":\"TEAM\"}}")),
            "ADMIN_TEAM");
}

TEST_F(ConsoleDoorTest, ReceiptsComeTogether) {
  registry_.read_receipts = [](const internal::v1::ReadReceiptsRequest& request)
      -> absl::StatusOr<internal::v1::ReadReceiptsResponse> {
    internal::v1::ReadReceiptsResponse response;
    EXPECT_EQ(request.team_id(), kTeam);
    if (request.stream_ended()) return response;
    if (request.after_position() >= 2) {
      return MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the registry goes");
    }
    for (uint64_t position = 1; position <= 2 && !request.from_now(); ++position) {
      internal::v1::FeedReceipt& receipt = *response.add_receipts();
      receipt.set_position(position);
      receipt.set_device_id("0123456789abcdef");
      receipt.set_registration_id(42);
      receipt.set_app_id("com.example.mail");
      receipt.set_message_id("0123456789abcdef");
      receipt.mutable_receipt()->set_step(push::v1::SENT);
    }
    response.set_next_position(request.from_now() ? 0 : 2);
    return response;
  };
  Login("reader", "token of reader");
  harness_.thread->set_current(false);
  std::string got =
      Post("/api/live/receipts", json({{"team_id", kTeam}, {"cursor", ""}}).dump());
  while (!absl::StrContains(got, "event: end")) {
    harness_.thread->AwaitPosted();
    harness_.thread->RunPosted();
    got += harness_.TakeOutput();
  }
  size_t told = 0;
  for (size_t at = got.find("\"step\":\"SENT\""); at != std::string::npos;
       at = got.find("\"step\":\"SENT\"", at + 1)) {
    ++told;
  }
  EXPECT_EQ(told, 2u) << got;
  EXPECT_TRUE(absl::StrContains(got, "\"cursor\":\"")) << got;
}

TEST_F(ConsoleDoorTest, TheFleetBeginsWithThisProcess) {
  Login("reader", "token of reader");
  harness_.thread->set_current(false);
  std::string got = Post("/api/live/fleet", "{}");
  while (!absl::StrContains(got, "\"programs\"")) {
    harness_.thread->AwaitPosted();
    harness_.thread->RunPosted();
    got += harness_.TakeOutput();
  }
  EXPECT_TRUE(absl::StrContains(got, "\"programs\":[{\"address\":\"\",\"program\":")) << got;
}

TEST_F(ConsoleDoorTest, TheOverviewIsOfTheProcessThatShowsItself) {
  Login("reader", "token of reader");
  harness_.thread->set_current(false);
  std::string got = Post("/api/live/overview", "{}");
  while (!absl::StrContains(got, "\"rates\"")) {
    harness_.thread->AwaitPosted();
    harness_.thread->RunPosted();
    got += harness_.TakeOutput();
  }
  EXPECT_TRUE(absl::StrContains(got, "\"problems\":[]")) << got;
}

}  // namespace
}  // namespace bellwire::gateway
