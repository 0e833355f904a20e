// A subscription from its companion to its sender and back, over real processes, in both
// deployments: bellwire-agent, the companion's client library, and curl at the endpoint.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "device-agent/testing/companion_app.h"
#include "gtest/gtest.h"
#include "tests/support/encrypted_body.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using Strings = std::vector<std::string>;

constexpr char kPublicUrl[] = "https://push.example.com";

class SubscriptionTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    const Strings public_url = {"--public_url", kPublicUrl};
    Fleet::Options options;
    options.more_connector_arguments = public_url;
    options.more_gateway_arguments = public_url;
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    phone_ = std::make_unique<Phone>(*fleet_, "phone");
    ASSERT_TRUE(phone_->Start().ok());
  }

  // The status that a sender gets at the endpoint, "000" if nobody answers.
  std::string Post(const std::string& endpoint, absl::string_view text, int gateway = 0) {
    absl::string_view path = endpoint;
    EXPECT_TRUE(absl::ConsumePrefix(&path, kPublicUrl)) << endpoint;
    std::ofstream(fleet_->path("body"), std::ios::binary) << Encrypted(text);
    const std::string command = absl::StrCat(
        "curl -s -o ", fleet_->path("answer"), " -w '%{http_code}' --max-time 60 --cacert ",
        fleet_->ca_file(), " --data-binary @", fleet_->path("body"),
        " -H content-type: -H 'ttl: 3600' -H 'content-encoding: aes128gcm' https://",
        fleet_->provider_address(gateway), path);
    FILE* const pipe = popen(command.c_str(), "r");
    char buffer[16] = {};
    const size_t n = fread(buffer, 1, sizeof(buffer) - 1, pipe);
    pclose(pipe);
    return std::string(buffer, n);
  }

  // What the command line tool prints of the agent.
  std::string AgentStatus(absl::string_view flags) {
    const std::string command =
        absl::StrCat(getenv("TEST_SRCDIR"), "/", getenv("TEST_WORKSPACE"),
                     "/cli/bellwire agent status --socket ", phone_->socket_path(), " ", flags);
    FILE* const pipe = popen(command.c_str(), "r");
    std::string output;
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, n);
    EXPECT_EQ(pclose(pipe), 0);
    return output;
  }

  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Phone> phone_;
};

TEST_P(SubscriptionTest, FromSubscribeToGone) {
  auto companion = std::make_unique<agent::CompanionApp>(phone_->socket_path());
  companion->Subscribe("up", "org.example.Mail");
  companion->Subscribe("other", "org.example.Chat");
  const std::string endpoint = companion->Endpoint("up");
  EXPECT_TRUE(absl::StartsWith(endpoint, absl::StrCat(kPublicUrl, "/wpush/"))) << endpoint;
  const std::string other = companion->Endpoint("other");
  EXPECT_NE(other, endpoint);

  EXPECT_EQ(Post(endpoint, "1"), "201");
  EXPECT_EQ(Post(other, "2", /*gateway=*/1), "201");
  EXPECT_EQ(companion->Messages("up", 1), Strings{Encrypted("1")});
  EXPECT_EQ(companion->Messages("other", 1), Strings{Encrypted("2")});

  // What comes while the agent is dead waits on the server, and while the companion is, on the
  // phone.
  phone_->agent().Kill();
  EXPECT_EQ(Post(endpoint, "3"), "201");
  ASSERT_TRUE(phone_->Start().ok());
  EXPECT_EQ(companion->Messages("up", 2), (Strings{Encrypted("1"), Encrypted("3")}));
  companion.reset();
  EXPECT_EQ(Post(endpoint, "4"), "201");
  EXPECT_TRUE(WaitUntil([&] {
    return absl::StrContains(
        AgentStatus("--json"),
        R"("owner":"org.example.Mail","instance":"up","connected":false,"registered":true,)"
        R"("waiting_messages":1)");
  })) << AgentStatus("--json");
  EXPECT_TRUE(absl::StrContains(AgentStatus(""), "org.example.Chat")) << AgentStatus("");
  companion = std::make_unique<agent::CompanionApp>(phone_->socket_path());
  companion->Subscribe("up", "org.example.Mail");
  EXPECT_EQ(companion->Messages("up", 1), Strings{Encrypted("4")}) << "and nothing twice";
  EXPECT_EQ(companion->Endpoint("up"), endpoint);

  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  EXPECT_EQ(Post(endpoint, "5"), "201");
  EXPECT_EQ(companion->Messages("up", 2), (Strings{Encrypted("4"), Encrypted("5")}));
  EXPECT_EQ(companion->endpoint_count("up"), 1u);

  companion->Unsubscribe("up");
  EXPECT_EQ(companion->Unsubscribed(1), Strings{"up"});
  EXPECT_TRUE(WaitUntil([&] { return Post(endpoint, "6") == "410"; }));
  EXPECT_EQ(Post(other, "7"), "201") << "the other one lives";
  // The same name is another life, at another endpoint.
  companion->Subscribe("up", "org.example.Mail");
  ASSERT_TRUE(WaitUntil([&] { return companion->endpoint_count("up") == 2; }));
  EXPECT_NE(companion->Endpoint("up"), endpoint);
  EXPECT_EQ(Post(companion->Endpoint("up"), "8"), "201");
  EXPECT_EQ(companion->Messages("up", 3).back(), Encrypted("8"));
}

// What happens on the phone without a network is told once there is one.
TEST_P(SubscriptionTest, AnUnsubscribeWithoutAServerIsToldLater) {
  agent::CompanionApp companion(phone_->socket_path());
  companion.Subscribe("up");
  const std::string endpoint = companion.Endpoint("up");
  ASSERT_EQ(Post(endpoint, "1"), "201");
  fleet_->KillAll();
  companion.Unsubscribe("up");
  EXPECT_EQ(companion.Unsubscribed(1), Strings{"up"});
  phone_->agent().Kill();
  ASSERT_TRUE(fleet_->StartAll().ok());
  ASSERT_TRUE(phone_->Start().ok());
  EXPECT_TRUE(WaitUntil([&] { return Post(endpoint, "2") == "410"; }));
}

INSTANTIATE_TEST_SUITE_P(Deployments, SubscriptionTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& deployment) { return DeploymentName(deployment.param); });

}  // namespace
}  // namespace bellwire::tests
