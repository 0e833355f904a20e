// Software that exists publishes through the JSON and ntfy doors: curl and apprise, unmodified,
// over real processes, to a real app behind a real agent.

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/provider_credentials.h"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr char kMail[] = "com.example.mail";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class PublishTest : public testing::TestWithParam<Deployment> {
 protected:
  struct Outcome {
    int code;
    std::string out;
    friend std::ostream& operator<<(std::ostream& os, const Outcome& outcome) {
      return os << "exit " << outcome.code << ": " << outcome.out;
    }
  };

  void SetUp() override {
    auto fleet = Fleet::Start(GetParam());
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    phone_ = std::make_unique<Phone>(*fleet_, "phone");
    ASSERT_TRUE(phone_->Start().ok());
    team_ = Bellwire("team create Example", "team_id");
    Bellwire(absl::StrCat("app create ", kMail, " --team ", team_), "app_id");
    app_ = std::make_unique<App>(phone_->socket_path(), kMail);
    token_ = app_->WaitForToken();
    ASSERT_NE(token_, "");
    access_token_ = Bellwire(absl::StrCat("key create --send_only ", team_), "access_token");
    Bellwire(absl::StrCat("alias create ", team_, " phone ", token_), "name");
    const std::string credentials = fleet_->path("cred.json");
    Bellwire(absl::StrCat("key create --team ", team_, " --out ", credentials), "key_id");
    const auto read = cli::ReadProviderCredentials(credentials);
    ASSERT_TRUE(read.ok()) << read.status();
    const auto jwt = cli::SignProviderJwt(*read, RealClock()->WallNow());
    ASSERT_TRUE(jwt.ok()) << jwt.status();
    jwt_ = *jwt;
  }

  // What a command prints, of standard output and error.
  Outcome Sh(const std::string& command) const {
    const std::string script = dir_.path("run.sh");
    std::ofstream(script) << "URL=https://" << fleet_->provider_address()
                          << "\nexport CURL_CA_BUNDLE=" << fleet_->ca_file()
                          << "\nexport REQUESTS_CA_BUNDLE=" << fleet_->ca_file()
                          << "\nHOST=" << fleet_->provider_address() << "\nTOKEN=" << token_
                          << "\nBW=" << access_token_ << "\nJWT=" << jwt_ << "\n"
                          << command << "\n";
    const int status =
        system(absl::StrCat("timeout 60 sh ", script, " >", dir_.path("out"), " 2>&1").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            ReadAll(dir_.path("out"))};
  }
  // A value of what a command of `bellwire` answers in JSON.
  std::string Bellwire(const std::string& command, const std::string& key) const {
    const Outcome outcome =
        Sh(absl::StrCat("cli/bellwire ", command, " --json --server ", fleet_->provider_address(),
                        " --data_dir ", fleet_->data_dir()));
    EXPECT_EQ(outcome.code, 0) << command << ": " << outcome;
    const json answer = json::parse(outcome.out, nullptr, false);
    return answer.is_object() && answer.contains(key) ? answer[key].get<std::string>() : "";
  }
  // curl's answer: the status, and the body as JSON.
  std::pair<int, json> Curl(const std::string& arguments) const {
    const Outcome outcome = Sh(absl::StrCat("curl -sS -m 30 -w '\\n%{http_code}' ", arguments));
    EXPECT_EQ(outcome.code, 0) << arguments << ": " << outcome;
    const size_t line = outcome.out.rfind('\n');
    if (line == std::string::npos) return {0, nullptr};
    return {atoi(outcome.out.c_str() + line + 1),
            json::parse(outcome.out.substr(0, line), nullptr, false)};
  }
  std::string LastTaken(size_t count) const {
    EXPECT_TRUE(app_->WaitForTaken(count));
    const std::vector<std::string> taken = app_->taken();
    return taken.empty() ? "" : taken.back();
  }

  const TempDir dir_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Phone> phone_;
  std::unique_ptr<App> app_;
  std::string team_;
  std::string token_;
  std::string access_token_;
  std::string jwt_;
};

TEST_P(PublishTest, CurlSendsLooksUpAndWatches) {
  const auto [status, sent] = Curl(
      "$URL/v1/messages -H \"Authorization: Bearer $BW\" "
      "-d '{\"token\":\"'$TOKEN'\",\"priority\":\"PRIORITY_HIGH\",\"payload\":\"'$(printf 'You "
      "have mail' | base64)'\"}'");
  ASSERT_EQ(status, 200) << sent;
  EXPECT_EQ(sent["outcome"], "ACCEPTED");
  EXPECT_EQ(LastTaken(1), "You have mail");
  const std::string resource =
      absl::StrCat("$URL/v1/messages/$TOKEN/", sent["messageId"].get<std::string>());
  EXPECT_TRUE(WaitUntil([&] {
    return Curl(absl::StrCat(resource, " -H \"Authorization: Bearer $BW\"")).second["state"] ==
           "APP_ACKED";
  }));
  EXPECT_EQ(Curl(absl::StrCat("-X DELETE ", resource, " -H \"Authorization: Bearer $BW\"")).first,
            403);
  EXPECT_EQ(Curl(absl::StrCat("-X DELETE ", resource, " -H \"Authorization: Bearer $JWT\""))
                .second["outcome"],
            "TOO_LATE");
  // The whole feed; curl ends it.
  const Outcome feed = Sh(absl::StrCat("curl -sN -m 3 \"$URL/v1/receipts?cursor=1.", team_,
                                       ".0\" -H \"Authorization: Bearer $JWT\""));
  EXPECT_EQ(feed.code, 28) << feed;  // Its time was over, not the stream's.
  for (const char* step : {"ACCEPTED", "STORED", "SENT", "AGENT_ACKED", "APP_ACKED"}) {
    EXPECT_THAT(feed.out, HasSubstr(absl::StrCat("\"step\":\"", step, "\"")));
  }
  EXPECT_THAT(feed.out, HasSubstr(absl::StrCat("\nid: 1.", team_, ".")));
}

// Whatever it has sent by then, and whether it said before how much it would be.
TEST_P(PublishTest, CurlHearsThatABodyIsTooLong) {
  const std::string file = dir_.path("long");
  for (const size_t size : {40'000u, 100'000u, 10'000'000u}) {
    std::ofstream(file, std::ios::binary) << std::string(size, 'x');
    for (const char* version : {"--http1.1", "--http2"}) {
      for (const char* door : {"/v1/messages", "/ntfy/phone"}) {
        const std::string to =
            absl::StrCat(version, " $URL", door, " -H \"Authorization: Bearer $BW\" ");
        EXPECT_EQ(Curl(absl::StrCat(to, "--data-binary @", file)).first, 413) << to << size;
        EXPECT_EQ(Curl(absl::StrCat(to, "-X POST -T - < ", file)).first, 413) << to << size;
      }
    }
  }
}

TEST_P(PublishTest, ARetryWithAnIdempotencyKeyIsOneMessage) {
  const std::string send =
      "$URL/v1/messages -H \"Authorization: Bearer $BW\" -H 'Idempotency-Key: "
      "123e4567-e89b-42d3-a456-426614174000' -d '{\"token\":\"'$TOKEN'\",\"payload\":\"aGk=\"}'";
  EXPECT_EQ(Curl(send).second["duplicate"], false);
  EXPECT_EQ(Curl(send).second["duplicate"], true);
  EXPECT_EQ(LastTaken(1), "hi");
}

TEST_P(PublishTest, ARevokedTokenIsRefusedSoon) {
  const std::string check =
      "$URL/v1/messages -H \"Authorization: Bearer $BW\" -d '{\"token\":\"'$TOKEN'\"}'";
  EXPECT_EQ(Curl(check).first, 200);
  Bellwire(absl::StrCat("key revoke ", access_token_.substr(3, 10)), "key_id");
  EXPECT_TRUE(WaitUntil([&] { return Curl(check).first == 401; }));
}

TEST_P(PublishTest, CurlPublishesAsToNtfy) {
  const auto [status, sent] = Curl(
      "-d 'Backup done' -u :$BW -H 'Title: Disk' -H 'Tags: warning' -H 'Priority: 5' "
      "$URL/ntfy/phone");
  ASSERT_EQ(status, 200) << sent;
  EXPECT_EQ(sent["event"], "message");
  EXPECT_EQ(json::parse(LastTaken(1), nullptr, false), sent);
  EXPECT_EQ(sent["title"], "Disk");
  EXPECT_EQ(sent["priority"], 5);
  // A file, JSON, and nothing but a URL.
  EXPECT_EQ(Curl("-T - -u :$BW $URL/ntfy/phone < /etc/hostname").first, 200);
  EXPECT_EQ(Curl("-d '{\"topic\":\"phone\",\"message\":\"Hi\"}' -u :$BW $URL/ntfy").first, 200);
  EXPECT_EQ(Curl("\"$URL/ntfy/phone/publish?message=Bye&auth=$(printf 'Bearer %s' $BW | base64 -w0 "
                 "| tr -d = | tr +/ -_)\"")
                .first,
            200);
  EXPECT_EQ(json::parse(LastTaken(4), nullptr, false)["message"], "Bye");
  const auto [code, error] = Curl("-d x -u :$BW $URL/ntfy/tablet");
  EXPECT_EQ(code, 404);
  EXPECT_EQ(error["code"], 40401);
  EXPECT_EQ(Curl("-d x $URL/ntfy/phone").second["code"], 40101);
}

TEST_P(PublishTest, ApprisePublishes) {
  const Outcome sent =
      Sh("apprise -vv -t 'A title' -b 'From apprise' \"ntfys://me:$BW@$HOST/phone?priority=high\"");
  ASSERT_EQ(sent.code, 0) << sent;
  const json message = json::parse(LastTaken(1), nullptr, false);
  EXPECT_EQ(message["title"], "A title");
  EXPECT_EQ(message["message"], "From apprise");
  EXPECT_EQ(message["priority"], 4);
  // The token as the user, and no password.
  EXPECT_EQ(Sh("apprise -b again \"ntfys://$BW@$HOST/phone\"").code, 0);
  EXPECT_EQ(json::parse(LastTaken(2), nullptr, false)["message"], "again");
  EXPECT_NE(Sh("apprise -b x \"ntfys://me:$BW@$HOST/tablet\"").code, 0);
  EXPECT_NE(Sh("apprise -b x \"ntfys://me:wrong@$HOST/phone\"").code, 0);
}

INSTANTIATE_TEST_SUITE_P(Deployments, PublishTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
