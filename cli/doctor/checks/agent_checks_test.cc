#include "cli/doctor/checks/agent_checks.h"

#include <errno.h>
#include <sys/stat.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// An agent with a session.
AgentFacts Healthy() {
  AgentFacts agent;
  agent.socket_path = "/run/bellwire/agent.sock";
  agent.socket.path = agent.socket_path;
  agent.socket.mode = S_IFSOCK | 0666;
  agent.answered = true;
  agent.status.set_connection(agent::v1::Status::CONNECTED);
  agent.status.set_server_address("push.example.com:7444");
  agent.status.set_agent_version("bellwire-agent/1.2.3");
  return agent;
}

Findings Check(const AgentFacts& agent) {
  Findings findings;
  CheckAgent(agent, "1.2.3", &findings);
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.what.empty() || finding.to_do.empty()) << finding.cause;
  }
  return findings;
}

std::vector<std::string> CausesOf(const AgentFacts& agent) {
  std::vector<std::string> causes;
  for (const Finding& finding : Check(agent)) causes.push_back(finding.cause);
  return causes;
}

TEST(AgentChecksTest, AHealthyOneHasNoFinding) { EXPECT_THAT(CausesOf(Healthy()), IsEmpty()); }

TEST(AgentChecksTest, ASocketThatThisUserMayNotUse) {
  AgentFacts agent = Healthy();
  agent.answered = false;
  agent.connect_error = EACCES;
  EXPECT_THAT(CausesOf(agent), ElementsAre("SOCKET_NOT_PERMITTED"));
  agent.connect_error = EAGAIN;
  EXPECT_THAT(CausesOf(agent), ElementsAre("SOCKET_UNUSABLE"));
}

TEST(AgentChecksTest, ANatThatForgetsEarlyIsTold) {
  AgentFacts agent = Healthy();
  auto& network = *agent.status.mutable_network();
  network.set_kind("cellular");
  network.set_interface("wwan0");
  EXPECT_THAT(CausesOf(agent), IsEmpty());  // Still being learned.
  network.set_learned_interval_ms(absl::ToInt64Milliseconds(kShortNatTimeout));
  EXPECT_THAT(CausesOf(agent), IsEmpty());
  network.set_learned_interval_ms(60'000);
  ASSERT_THAT(CausesOf(agent), ElementsAre("NAT_TIMEOUT_SHORT"));
  EXPECT_THAT(Check(agent)[0].what, HasSubstr("after 1 min 0 s: it costs 1440 heartbeats a day"));
}

TEST(AgentChecksTest, AnAppThatTakesNothing) {
  AgentFacts agent = Healthy();
  auto& app = *agent.status.add_apps();
  app.set_app_id("com.example.mail");
  app.set_waiting_messages(kManyWaiting - 1);
  EXPECT_THAT(CausesOf(agent), IsEmpty());  // It was closed: that is no fault.
  app.set_starts(kStartsInVain);
  EXPECT_THAT(CausesOf(agent), ElementsAre("APP_STARTED_IN_VAIN"));
  app.set_starts(0);
  app.set_waiting_messages(kManyWaiting);
  EXPECT_THAT(CausesOf(agent), ElementsAre("MAILBOX_NOT_TAKEN"));
  app.set_connected(true);
  EXPECT_THAT(CausesOf(agent), IsEmpty());
}

TEST(AgentChecksTest, ASubscriptionThatDoesNotWork) {
  AgentFacts agent = Healthy();
  auto& subscription = *agent.status.add_subscriptions();
  subscription.set_owner("firefox https://mail.example");
  subscription.set_connected(true);
  EXPECT_THAT(CausesOf(agent), ElementsAre("NO_ENDPOINT"));
  subscription.set_registered(true);
  EXPECT_THAT(CausesOf(agent), IsEmpty());
  subscription.set_connected(false);
  subscription.set_waiting_messages(kManyWaiting);
  EXPECT_THAT(CausesOf(agent), ElementsAre("MAILBOX_NOT_TAKEN"));
}

TEST(AgentChecksTest, AWayThatFailsExplainsAMissingSession) {
  AgentFacts agent = Healthy();
  agent.status.set_connection(agent::v1::Status::DISCONNECTED);
  agent.status.set_last_error("a heartbeat was not answered");
  EXPECT_THAT(CausesOf(agent), ElementsAre("AGENT_NOT_CONNECTED"));
  ConnectionFacts good;
  ConnectionFacts bad;
  bad.failed = ConnectionFacts::Step::kName;
  agent.paths = {bad};
  EXPECT_THAT(CausesOf(agent), ElementsAre("NAME_NOT_RESOLVED"));
  agent.paths = {bad, good};
  EXPECT_THAT(CausesOf(agent), ElementsAre("NAME_NOT_RESOLVED", "AGENT_NOT_CONNECTED"));
  agent.paths = {};
  agent.status.set_last_error("another phone logged in with this phone's key and …");
  EXPECT_THAT(CausesOf(agent), ElementsAre("DEVICE_KEY_COPIED"));
}

TEST(AgentChecksTest, AStateDirectoryThatOthersMayUse) {
  AgentFacts agent = Healthy();
  agent.state_directory = FileFacts{.path = "/var/lib/bellwire-agent", .mode = S_IFDIR | 0755};
  EXPECT_THAT(CausesOf(agent), ElementsAre("STATE_DIR_NOT_PRIVATE"));
  agent.disk = DiskFacts{.read_only = true, .free_bytes = 1ull << 40, .total_bytes = 1ull << 40};
  EXPECT_THAT(CausesOf(agent), ElementsAre("STATE_DIR_NOT_PRIVATE", "DISK_READ_ONLY"));
}

}  // namespace
}  // namespace bellwire::cli
