// Every kind of caller against every route of the doors, at a real server: only allowed cells pass.
// Routes come from the doors' own tables, outside of which a door serves nothing
// (gateway/doors/http/whole_body.h); one without a row fails. Prints the tables of
// docs/operate/security.md, and holds the page against them.

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gateway/testing/test_gateway.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/access/http_world.h"
#include "tests/support/encrypted_body.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using nlohmann::json;
using Caller = HttpWorld::Caller;
using Names = std::vector<std::string>;

// What the callers with a credential of the team may do, and those of the other doors.
const Names kSend = {"access token", "signing key"};
const Names kAll = {"signing key"};
const Names kFcmSend = {"access token", "signing key", "FCM token"};
const Names kFcmAll = {"signing key", "FCM token"};
const Names kNobody = {};

// A route, or one of the cases of it.
struct Row {
  // As GatewayServer::routes says.
  std::string route;
  // Empty: there is one case only.
  std::string which;
  std::function<HttpRequest(const HttpWorld&)> request;
  // Empty: all.
  std::optional<Names> who;
  // It names nothing that is somebody's: another team gets its own.
  bool others_have_their_own = false;
  // The caller shows its assertion, and not its Authorization.
  bool by_assertion = false;
};

std::string AfterPublicUrl(const std::string& endpoint) {
  return endpoint.substr(std::string(kPublicUrl).size());
}

HttpRequest Of(const std::string& method, const std::string& path, const std::string& body = "") {
  return {.method = method, .path = path, .body = body};
}

std::string SendBody(const HttpWorld& w) {
  return json({{"token", w.token()}, {"payload", "aGk="}, {"collapseKey", "k"}}).dump();
}

std::string TopicBody(const HttpWorld& w) {
  return json({{"topic", "news"}, {"tokens", {w.token()}}}).dump();
}

std::string Registrations(const HttpWorld& w) {
  return absl::StrCat("/v1/projects/", w.team_id(), "/registrations/", w.token(),
                      "/topicSubscriptions");
}

std::string FcmBatch(const HttpWorld& w) {
  return json({{"to", "/topics/news"}, {"registration_tokens", {w.token()}}}).dump();
}

HttpRequest Push(const std::string& endpoint) {
  return {.method = "POST",
          .path = AfterPublicUrl(endpoint),
          .fields = {{"ttl", "60"}, {"topic", "one"}, {"content-encoding", "aes128gcm"}},
          .body = Encrypted("hi")};
}

std::string MatrixBody(const std::string& endpoint) {
  return json({{"notification",
                {{"event_id", "$e"},
                 {"room_id", "!r"},
                 {"prio", "high"},
                 {"devices", {{{"app_id", "org.example"}, {"pushkey", endpoint}}}}}}})
      .dump();
}

HttpRequest Channels(const std::string& method, const std::string& channel,
                     const std::string& body = "") {
  HttpRequest request = Of(method, absl::StrCat("/1/apps/", kMail, "/channels"), body);
  if (!channel.empty()) request.fields = {{"apns-channel-id", channel}};
  return request;
}

std::vector<Row> DoorRows() {
  using W = const HttpWorld&;
  const std::string account = "service account";
  return {
      {"GET /", "", [](W) { return Of("GET", "/"); }, std::nullopt},
      {"GET /healthz", "", [](W) { return Of("GET", "/healthz"); }, std::nullopt},
      {"GET /readyz", "", [](W) { return Of("GET", "/readyz"); }, std::nullopt},

      {"POST /v1/messages", "", [](W w) { return Of("POST", "/v1/messages", SendBody(w)); }, kSend},
      {"POST /v1/messages:batch", "",
       [](W w) {
         return Of("POST", "/v1/messages:batch",
                   absl::StrCat(R"({"requests":[)", SendBody(w), "]}"));
       },
       kSend},
      {"GET /v1/messages/{token}/{id}", "",
       [](W w) { return Of("GET", absl::StrCat("/v1/messages/", w.token(), "/", w.NewMessage())); },
       kSend},
      {"DELETE /v1/messages/{token}/{id}", "",
       [](W w) {
         return Of("DELETE", absl::StrCat("/v1/messages/", w.token(), "/", w.NewMessage()));
       },
       kAll},
      {"GET /v1/receipts", "", [](W) { return Of("GET", "/v1/receipts"); }, kAll,
       /*others_have_their_own=*/true},
      {"GET /v1/topics", "", [](W) { return Of("GET", "/v1/topics"); }, kSend, true},
      {"POST /v1/topics:publish", "",
       [](W) {
         return Of("POST", "/v1/topics:publish",
                   R"({"topic":"news","message":{"payload":"aGk="}})");
       },
       kSend, true},
      {"POST /v1/topics:subscribe", "",
       [](W w) { return Of("POST", "/v1/topics:subscribe", TopicBody(w)); }, kAll},
      {"POST /v1/topics:unsubscribe", "",
       [](W w) { return Of("POST", "/v1/topics:unsubscribe", TopicBody(w)); }, kAll},
      {"GET /v1/subscriptions/{token}", "",
       [](W w) { return Of("GET", absl::StrCat("/v1/subscriptions/", w.token())); }, kAll},
      {"GET /v1/topic-messages/{id}", "",
       [](W w) { return Of("GET", absl::StrCat("/v1/topic-messages/", w.NewTopicMessage())); },
       kSend},
      {"DELETE /v1/topic-messages/{id}", "",
       [](W w) { return Of("DELETE", absl::StrCat("/v1/topic-messages/", w.NewTopicMessage())); },
       kAll},

      {"POST /3/device/{token}", "",
       [](W w) {
         HttpRequest request =
             Of("POST", absl::StrCat("/3/device/", w.token()), R"({"aps":{"alert":"hi"}})");
         request.fields = {{"apns-topic", kMail}, {"apns-collapse-id", "k"}};
         return request;
       },
       kSend},
      {"POST /1/apps/{app}/channels", "",
       [](W) {
         return Channels("POST", "", R"({"push-type":"LiveActivity","message-storage-policy":0})");
       },
       kAll, true},
      {"GET /1/apps/{app}/channels", "", [](W w) { return Channels("GET", w.NewChannel()); }, kAll},
      {"DELETE /1/apps/{app}/channels", "", [](W w) { return Channels("DELETE", w.NewChannel()); },
       kAll},
      {"GET /1/apps/{app}/all-channels", "",
       [](W) { return Of("GET", absl::StrCat("/1/apps/", kMail, "/all-channels")); }, kAll, true},
      {"POST /4/broadcasts/apps/{app}", "",
       [](W w) {
         HttpRequest request =
             Of("POST", absl::StrCat("/4/broadcasts/apps/", kMail), R"({"aps":{"alert":"hi"}})");
         request.fields = {{"apns-channel-id", w.NewChannel()},
                           {"apns-push-type", "liveactivity"},
                           {"apns-expiration", "0"}};
         return request;
       },
       kSend},

      {"POST /v1/projects/{project}/messages:send", "",
       [](W w) {
         return Of("POST", absl::StrCat("/v1/projects/", w.team_id(), "/messages:send"),
                   json({{"message",
                          {{"token", w.token()},
                           {"data", {{"a", "b"}}},
                           {"android", {{"collapse_key", "k"}}}}}})
                       .dump());
       },
       kFcmSend},
      {"POST /iid/v1:batchAdd", "", [](W w) { return Of("POST", "/iid/v1:batchAdd", FcmBatch(w)); },
       kFcmAll},
      {"POST /iid/v1:batchRemove", "",
       [](W w) { return Of("POST", "/iid/v1:batchRemove", FcmBatch(w)); }, kFcmAll},
      {"POST /v1/projects/{project}/registrations/{token}/topicSubscriptions", "",
       [topic = std::make_shared<int>(0)](W w) {
         // A topic that is subscribed to already is refused to everybody.
         return Of("POST", absl::StrCat(Registrations(w), "?topic_name=fresh", ++*topic));
       },
       kFcmAll},
      {"GET /v1/projects/{project}/registrations/{token}/topicSubscriptions", "",
       [](W w) { return Of("GET", Registrations(w)); }, kFcmSend},
      {"PATCH /v1/projects/{project}/registrations/{token}/topicSubscriptions/{topic}", "",
       [](W w) { return Of("PATCH", absl::StrCat(Registrations(w), "/mine?allow_missing=true")); },
       kFcmAll},
      {"GET /v1/projects/{project}/registrations/{token}/topicSubscriptions/{topic}", "",
       [](W w) { return Of("GET", absl::StrCat(Registrations(w), "/mine")); }, kFcmSend},
      {"DELETE /v1/projects/{project}/registrations/{token}/topicSubscriptions/{topic}", "",
       [](W w) { return Of("DELETE", absl::StrCat(Registrations(w), "/mine?allow_missing=true")); },
       kFcmAll},
      {"POST /oauth2/token", "", [](W) { return Of("POST", "/oauth2/token"); }, Names{account},
       false, /*by_assertion=*/true},
      {"POST /token", "", [](W) { return Of("POST", "/token"); }, Names{account}, false, true},
      {"POST /oauth2/v4/token", "", [](W) { return Of("POST", "/oauth2/v4/token"); },
       Names{account}, false, true},

      {"POST /ntfy/{topic}", "", [](W) { return Of("POST", "/ntfy/phone", "hi"); }, kSend},
      {"PUT /ntfy/{topic}", "", [](W) { return Of("PUT", "/ntfy/phone", "hi"); }, kSend},
      {"GET /ntfy/{topic}/publish", "",
       [](W) { return Of("GET", "/ntfy/phone/publish?message=hi"); }, kSend},
      {"GET /ntfy/{topic}/send", "", [](W) { return Of("GET", "/ntfy/phone/send?message=hi"); },
       kSend},
      {"GET /ntfy/{topic}/trigger", "",
       [](W) { return Of("GET", "/ntfy/phone/trigger?message=hi"); }, kSend},
      {"POST /ntfy", "",
       [](W) { return Of("POST", "/ntfy", R"({"topic":"phone","message":"hi"})"); }, kSend},
      {"PUT /ntfy", "", [](W) { return Of("PUT", "/ntfy", R"({"topic":"phone","message":"hi"})"); },
       kSend},
      {"POST /", "", [](W) { return Of("POST", "/", R"({"topic":"phone","message":"hi"})"); },
       kSend},
      {"PUT /", "", [](W) { return Of("PUT", "/", R"({"topic":"phone","message":"hi"})"); }, kSend},
      {"GET /ntfy/v1/health", "", [](W) { return Of("GET", "/ntfy/v1/health"); }, std::nullopt},

      {"POST /_matrix/push/v1/notify", "of an endpoint without a key",
       [](W w) { return Of("POST", "/_matrix/push/v1/notify", MatrixBody(w.open_endpoint())); },
       std::nullopt},
      {"POST /_matrix/push/v1/notify", "of an endpoint with a VAPID key",
       [](W w) { return Of("POST", "/_matrix/push/v1/notify", MatrixBody(w.bound_endpoint())); },
       kNobody},
      {"GET /_matrix/push/v1/notify", "", [](W) { return Of("GET", "/_matrix/push/v1/notify"); },
       std::nullopt},

      {"POST /wpush/{token}", "of an endpoint without a key",
       [](W w) { return Push(w.open_endpoint()); },
       Names{"no credential", "another VAPID key", "the VAPID key"}},
      {"POST /wpush/{token}", "of an endpoint with a VAPID key",
       [](W w) { return Push(w.bound_endpoint()); }, Names{"the VAPID key"}},
      {"POST /wpush/{token}", "of an app's token",
       [](W w) { return Push(absl::StrCat(kPublicUrl, "/wpush/", w.token())); }, kNobody},
      {"GET /wpush/{token}", "", [](W w) { return Of("GET", AfterPublicUrl(w.open_endpoint())); },
       std::nullopt},
      {"OPTIONS /wpush/{name}", "",
       [](W w) { return Of("OPTIONS", AfterPublicUrl(w.open_endpoint())); }, std::nullopt},
      {"DELETE /wpush/m/{name}", "a name that its sender was told",
       [](W w) { return Of("DELETE", w.NewPush("location")); }, std::nullopt},
      {"DELETE /wpush/m/{name}", "a made-up name",
       [](W w) { return Of("DELETE", absl::StrCat("/wpush/m/", w.token())); }, kNobody},
      {"GET /wpush/r/{name}", "a name that its sender was told",
       [](W w) { return Of("GET", w.NewPush("link")); }, std::nullopt},
      {"GET /wpush/r/{name}", "a made-up name",
       [](W w) { return Of("GET", absl::StrCat("/wpush/r/", w.token())); }, kNobody},
  };
}

// Also inside of an answer that says 200 for the request as a whole.
bool Passed(const HttpAnswer& answer) {
  if (!answer.is_success() || absl::StrContains(answer.body, "\"error\"")) return false;
  const json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  return !body.is_object() || !body.contains("rejected") || body["rejected"].empty();
}

std::string PageText() {
  std::ifstream file("docs/operate/security.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string RouteCell(const std::string& route, const std::string& which) {
  return absl::StrCat("| `", route, "`", which.empty() ? "" : ", ", which, " | ");
}

// The routes of all ports of a gateway that has every one of them.
std::set<std::string> AllRoutes() {
  gateway::TestGateway parts;
  const TempDir dir;
  gateway::GatewayServer::Options options;
  options.listen = "127.0.0.1:0";
  options.certificate_path = parts.pki.dir() + "/server.pem";
  options.key_path = parts.pki.dir() + "/server.key";
  options.https_listen = "127.0.0.1:0";
  options.http_listen = "127.0.0.1:0";
  options.console_listen = "127.0.0.1:0";
  options.admin_listen = "127.0.0.1:0";
  options.sealer = parts.sealer.get();
  options.mailboxes = &parts.registry;
  options.catalogue = &parts.registry;
  options.keys = &parts.registry;
  options.feeds = &parts.registry;
  options.store = &parts.registry;
  options.topics = &parts.registry;
  options.devices = &parts.registry;
  options.clock = &parts.clock;
  options.fan_outs.at_once = 0;
  options.recheck_interval = absl::ZeroDuration();
  const auto server = gateway::GatewayServer::Start(options);
  EXPECT_TRUE(server.ok()) << server.status();
  if (!server.ok()) return {};
  const std::vector<std::string> routes = (*server)->routes();
  return {routes.begin(), routes.end()};
}

class HttpMatrixTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto world = HttpWorld::Make();
    ASSERT_TRUE(world.ok()) << world.status();
    world_ = *std::move(world);
    for (const Caller& caller : world_->callers()) {
      ASSERT_FALSE(absl::StrContains(caller.authorization, "no access_token"))
          << caller.authorization;
    }
  }
  std::unique_ptr<HttpWorld> world_;
};

// Of the page at the console's port, which takes cookies and no Authorization.
struct ConsoleRow {
  std::string route;
  std::string which;
  std::string path;
  std::string body;
  // Without whom everybody else is refused; empty: all, but pages of other origins.
  Names who;
};

std::vector<ConsoleRow> ConsoleRows(const HttpWorld& w) {
  const Names administrators = {"read-only administrator", "owner"};
  const std::string login = json({{"name", "reader"}, {"token", w.administrator("reader")}}).dump();
  return {
      {"POST /api/login", "with a token", "/api/login", login, {}},
      {"POST /api/who", "", "/api/who", "{}", {}},
      {"POST /api/logout", "", "/api/logout", "{}", {}},
      {"POST /api/rpc/{method}", "that reads", "/api/rpc/AdminService/ListTeams", "{}",
       administrators},
      {"POST /api/rpc/{method}",
       "that changes",
       "/api/rpc/AdminService/CreateTeam",
       R"({"name":"more"})",
       {"owner"}},
      {"POST /api/live/fleet", "", "/api/live/fleet", "{}", administrators},
      {"POST /api/live/overview", "", "/api/live/overview", "{}", administrators},
      {"POST /api/live/message", "", "/api/live/message",
       json({{"team_id", w.team_id()}, {"token", w.token()}, {"message_id", w.NewMessage()}})
           .dump(),
       administrators},
      {"POST /api/live/receipts", "", "/api/live/receipts", json({{"team_id", w.team_id()}}).dump(),
       administrators},
  };
}

TEST_F(HttpMatrixTest, EveryRouteHasARow) {
  std::set<std::string> rows = {"GET /{file}"};
  for (const Row& row : DoorRows()) rows.insert(row.route);
  for (const ConsoleRow& row : ConsoleRows(*world_)) rows.insert(row.route);
  const std::set<std::string> routes = AllRoutes();
  for (const std::string& route : routes) {
    EXPECT_TRUE(rows.contains(route)) << route << " has no row: say who may ask it";
  }
  for (const std::string& row : rows) {
    EXPECT_TRUE(routes.contains(row)) << row << " is a row of a route that there is not";
  }
}

TEST_F(HttpMatrixTest, OnlyAllowedCellsOfTheDoorsPass) {
  const std::string page = PageText();
  std::string table = "| route | who passes |\n| --- | --- |\n";
  for (const Row& row : DoorRows()) {
    Names passed;
    for (const Caller& caller : world_->callers()) {
      HttpRequest request = row.request(*world_);
      if (row.by_assertion) {
        request.body = absl::StrCat(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=",
            caller.assertion);
      } else if (!caller.authorization.empty()) {
        request.fields.emplace_back("authorization", caller.authorization);
      }
      bool allowed = !row.who.has_value() ||
                     std::find(row.who->begin(), row.who->end(), caller.name) != row.who->end();
      if (row.others_have_their_own && caller.name == "another team") allowed = true;
      const HttpAnswer answer = world_->AskDoors(request);
      EXPECT_EQ(Passed(answer), allowed) << caller.name << " at " << row.route << " " << row.which
                                         << ": " << answer.status << " " << answer.body;
      // A refusal is one of the caller, and no accident.
      if (!allowed) {
        EXPECT_NE(answer.status, 0) << caller.name << " at " << row.route;
        EXPECT_LT(answer.status, 500) << caller.name << " at " << row.route << answer.body;
      }
      if (Passed(answer)) {
        passed.push_back(caller.name == "another team" ? "another team (its own)" : caller.name);
      }
    }
    const std::string cells =
        absl::StrCat(RouteCell(row.route, row.which),
                     passed.empty()                              ? "nobody"
                     : passed.size() == world_->callers().size() ? "everybody"
                                                                 : absl::StrJoin(passed, ", "),
                     " |\n");
    EXPECT_TRUE(absl::StrContains(page, cells)) << "docs/operate/security.md doesn't say " << cells;
    absl::StrAppend(&table, cells);
  }
  std::cout << table;
}

// Another team's own things hold nothing of this one.
TEST_F(HttpMatrixTest, WhatAnotherTeamGetsIsItsOwn) {
  world_->NewTopicMessage();
  const std::string channel = world_->NewChannel();
  HttpRequest subscribe = Of("POST", "/v1/topics:subscribe", TopicBody(*world_));
  subscribe.fields = {{"authorization", world_->caller("signing key").authorization}};
  ASSERT_TRUE(Passed(world_->AskDoors(subscribe)));
  const auto ask = [&](const std::string& caller, const std::string& path) {
    HttpRequest request = Of("GET", path);
    request.fields = {{"authorization", world_->caller(caller).authorization}};
    return world_->AskDoors(request).body;
  };
  EXPECT_TRUE(absl::StrContains(ask("signing key", "/v1/topics"), "news"));
  EXPECT_FALSE(absl::StrContains(ask("another team", "/v1/topics"), "news"));
  const std::string channels = absl::StrCat("/1/apps/", kMail, "/all-channels");
  EXPECT_TRUE(absl::StrContains(ask("signing key", channels), channel));
  EXPECT_FALSE(absl::StrContains(ask("another team", channels), channel));
}

TEST_F(HttpMatrixTest, OnlyAllowedCellsOfTheConsolePass) {
  const auto login = [&](const std::string& name) {
    HttpRequest request = Of("POST", "/api/login",
                             json({{"name", name}, {"token", world_->administrator(name)}}).dump());
    request.fields = {{"x-bellwire-console", "1"}, {"content-type", "application/json"}};
    const HttpAnswer answer = world_->AskConsole(request);
    EXPECT_TRUE(answer.is_success()) << answer.body;
    const auto cookie = answer.fields.find("set-cookie");
    return cookie == answer.fields.end() ? "" : cookie->second.substr(0, cookie->second.find(';'));
  };
  struct Browser {
    std::string name;
    std::function<std::string()> cookie;
    std::vector<std::pair<std::string, std::string>> fields;
  };
  const std::vector<std::pair<std::string, std::string>> ours = {{"x-bellwire-console", "1"}};
  const auto none = [] { return std::string(); };
  const std::string logged_out = login("olga");
  {
    HttpRequest request = Of("POST", "/api/logout", "{}");
    request.fields = {
        {"x-bellwire-console", "1"}, {"content-type", "application/json"}, {"cookie", logged_out}};
    ASSERT_TRUE(world_->AskConsole(request).is_success());
  }
  const std::vector<Browser> browsers = {
      {"nobody", none, ours},
      {"a made-up session", [] { return "bellwire=" + std::string(43, 'a'); }, ours},
      {"a session that was logged out", [&] { return logged_out; }, ours},
      {"an Authorization of admin.token",
       none,
       {{"x-bellwire-console", "1"},
        {"authorization", world_->caller("admin.token").authorization}}},
      {"the owner, from a page of another origin",
       [&] { return login("olga"); },
       {{"x-bellwire-console", "1"}, {"origin", "https://evil.example"}}},
      {"the owner, from a frame of another site",
       [&] { return login("olga"); },
       {{"x-bellwire-console", "1"}, {"sec-fetch-site", "cross-site"}}},
      {"the owner, from a form", [&] { return login("olga"); }, {}},
      {"read-only administrator", [&] { return login("reader"); }, ours},
      {"owner", [&] { return login("olga"); }, ours},
  };
  const std::string page = PageText();
  std::string table = "| route of the console | who passes |\n| --- | --- |\n";
  for (const ConsoleRow& row : ConsoleRows(*world_)) {
    Names passed;
    for (const Browser& browser : browsers) {
      HttpRequest request = Of("POST", row.path, row.body);
      request.fields = browser.fields;
      request.fields.emplace_back("content-type", "application/json");
      if (const std::string cookie = browser.cookie(); !cookie.empty()) {
        request.fields.emplace_back("cookie", cookie);
      }
      const bool from_elsewhere = absl::StartsWith(browser.name, "the owner, from");
      const bool allowed =
          !from_elsewhere && (row.who.empty() || std::find(row.who.begin(), row.who.end(),
                                                           browser.name) != row.who.end());
      const HttpAnswer answer = world_->AskConsole(request);
      EXPECT_EQ(answer.is_success(), allowed)
          << browser.name << " at " << row.path << ": " << answer.status << " " << answer.body;
      EXPECT_EQ(answer.status == 401 || answer.status == 403, !allowed)
          << browser.name << " at " << row.path << ": " << answer.status;
      if (answer.is_success()) passed.push_back(browser.name);
    }
    const std::string cells = absl::StrCat(
        RouteCell(row.route, row.which),
        row.who.empty() ? "everybody, from the page itself" : absl::StrJoin(passed, ", "), " |\n");
    EXPECT_TRUE(absl::StrContains(page, cells)) << "docs/operate/security.md doesn't say " << cells;
    absl::StrAppend(&table, cells);
  }
  // Files, and nothing else.
  const HttpAnswer index = world_->AskConsole(Of("GET", "/"));
  EXPECT_EQ(index.status, 200);
  EXPECT_EQ(world_->AskConsole(Of("GET", "/../admin.token")).status / 100, 4);
  EXPECT_EQ(world_->AskConsole(Of("GET", "/v1/messages")).status, 404);
  std::cout << table << RouteCell("GET /{file}", "") << "everybody |\n";
}

// The console's port is no door to send at, and the doors' port administers nothing.
TEST_F(HttpMatrixTest, EachPortHasItsOwnRoutesOnly) {
  for (const Row& row : DoorRows()) {
    if (absl::StartsWith(row.route, "GET /{") || row.route == "GET /") continue;
    HttpRequest request = row.request(*world_);
    request.fields.emplace_back("authorization", world_->caller("signing key").authorization);
    const HttpAnswer answer = world_->AskConsole(request);
    EXPECT_GE(answer.status, 400) << row.route;
  }
  for (const ConsoleRow& row : ConsoleRows(*world_)) {
    HttpRequest request = Of("POST", row.path, row.body);
    request.fields = {{"x-bellwire-console", "1"},
                      {"content-type", "application/json"},
                      {"authorization", world_->caller("admin.token").authorization}};
    EXPECT_EQ(world_->AskDoors(request).status, 404) << row.path;
  }
}

}  // namespace
}  // namespace bellwire::tests
