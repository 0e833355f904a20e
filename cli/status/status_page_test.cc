#include "cli/status/status_page.h"

#include <algorithm>
#include <sstream>

#include "cli/doctor/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// A box with everything on it.
Facts Box() {
  Facts facts;
  facts.now = kNow;
  facts.our_version = "1.2.3";
  ServerFacts& server = facts.server.emplace();
  server.data_dir = "/var/lib/bellwire";
  server.process = ProcessFacts{.pid = 7, .started = kNow - absl::Hours(3)};
  server.disk = {.free_bytes = 10ull << 30, .total_bytes = 40ull << 30};
  server.certificates = {
      {.certificate = {.parsed = true, .not_after = kNow + absl::Hours(24 * 365)}}};
  server.connections.resize(2);
  server.connections[0].address = "127.0.0.1:7444";
  server.connections[1].kind = ConnectionFacts::Kind::kProviderPort;
  server.connections[1].address = "127.0.0.1:7443";
  AgentFacts& agent = facts.agent.emplace();
  agent.socket_path = "/run/bellwire/agent.sock";
  agent.answered = true;
  agent.status.set_connection(agent::v1::Status::CONNECTED);
  agent.status.set_agent_version("bellwire-agent/1.2.3");
  agent.status.set_server_address("push.example.com:7444");
  agent.status.set_connected_since_ms(absl::ToUnixMillis(kNow - absl::Minutes(4)));
  agent.status.set_heartbeat_interval_ms(60'000);
  agent.status.add_apps()->set_connected(true);
  agent.status.add_apps();
  agent.status.set_inbox_messages(1);
  CompanionFacts& companion = facts.companion.emplace();
  companion.state_dir = "/var/user/bellwire";
  return facts;
}

std::string Page(const Facts& facts, const Findings& findings) {
  std::ostringstream page;
  Terminal out(&page, /*colour=*/false);
  PrintStatus(facts, findings, out);
  std::istringstream lines(page.str());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), kPageColumns) << line;
  return page.str();
}

TEST(StatusPageTest, NamesThePortForAdministrators) {
  Facts facts = Box();
  facts.server->connections.emplace_back();
  facts.server->connections[2].kind = ConnectionFacts::Kind::kAdminPort;
  facts.server->connections[2].address = "127.0.0.1:7446";
  EXPECT_THAT(Page(facts, {}), HasSubstr("admin port 127.0.0.1:7446 answers"));
  EXPECT_EQ(StatusJson(facts, {})["server"]["ports"][2]["kind"], "admin");
  facts.server->connections[2].failed = ConnectionFacts::Step::kTcp;
  EXPECT_THAT(Page(facts, {}), HasSubstr("admin port 127.0.0.1:7446 does not answer well"));
}

TEST(StatusPageTest, SaysWhatRuns) {
  const std::string page = Page(Box(), {});
  EXPECT_THAT(page,
              HasSubstr("server     running        pid 7, for 3 h 0 min; /var/lib/bellwire\n"));
  EXPECT_THAT(page, HasSubstr("device port 127.0.0.1:7444 answers\n"));
  EXPECT_THAT(page, HasSubstr("10.0 GiB of 40.0 GiB disk free\n"));
  EXPECT_THAT(page,
              HasSubstr("agent      connected      to push.example.com:7444, for 4 min 0 s\n"));
  EXPECT_THAT(page, HasSubstr("2 apps, 1 running; 0 subscriptions"));
  EXPECT_THAT(page, HasSubstr("1 message on this phone waits for an app\n"));
  EXPECT_THAT(page, HasSubstr("companion  not running    /var/user/bellwire\n"));
  EXPECT_THAT(page, HasSubstr("\nhealthy  nothing to do\n"));
}

TEST(StatusPageTest, SaysWhatToDoNextAndStaysAPage) {
  const Findings findings(kFindingsOnPage + 3, {Part::kServer, Severity::kProblem, "DISK_FULL",
                                                "/data", "the disk is full", "make room"});
  const std::string page = Page(Box(), findings);
  EXPECT_THAT(page,
              HasSubstr("problem  server  DISK_FULL\n  the disk is full\n  to do: make room\n"));
  EXPECT_THAT(page, HasSubstr("… and 3 more: bellwire doctor\n"));
  EXPECT_LE(std::count(page.begin(), page.end(), '\n'), 24);
}

TEST(StatusPageTest, SaysWhatDoesNotServe) {
  Facts facts = Box();
  facts.server->connections[0].failed = ConnectionFacts::Step::kTls;
  facts.agent->status.set_connection(agent::v1::Status::DISCONNECTED);
  const std::string page = Page(facts, {});
  EXPECT_THAT(page, HasSubstr("server     does not serve "));
  EXPECT_THAT(page, HasSubstr("device port 127.0.0.1:7444 does not answer well"));
  EXPECT_THAT(page, HasSubstr("agent      not connected  to push.example.com:7444;"));
  facts.server->process.reset();
  facts.server->connections.clear();
  facts.agent->answered = false;
  facts.agent->socket.error = 2;
  EXPECT_THAT(Page(facts, {}), HasSubstr("server     not running "));
  EXPECT_THAT(Page(facts, {}), HasSubstr("agent      not running    /run/bellwire/agent.sock\n"));
}

TEST(StatusPageTest, TheJsonHasTheDocumentedShape) {
  const nlohmann::ordered_json json = StatusJson(Box(), {});
  EXPECT_EQ(json.dump(),
            R"({"version":"1.2.3","time":"2027-01-15T08:00:00.000Z","server":{)"
            R"("data_dir":"/var/lib/bellwire","running":true,"pid":7,)"
            R"("started":"2027-01-15T05:00:00.000Z","disk_free_bytes":10737418240,)"
            R"("disk_total_bytes":42949672960,"certificate_ends":"2028-01-15T08:00:00.000Z",)"
            R"("ports":[{"kind":"device","address":"127.0.0.1:7444","ok":true},)"
            R"({"kind":"provider","address":"127.0.0.1:7443","ok":true}]},"agent":{)"
            R"("socket":"/run/bellwire/agent.sock","running":true,)"
            R"("version":"bellwire-agent/1.2.3","connection":"CONNECTED",)"
            R"("server":"push.example.com:7444","heartbeat_interval_ms":60000,"apps":2,)"
            R"("subscriptions":0,"inbox_messages":1},"companion":{)"
            R"("state_dir":"/var/user/bellwire","running":false},"findings":[]})");
  Facts agent_only;
  agent_only.agent.emplace();
  EXPECT_FALSE(StatusJson(agent_only, {}).contains("server"));
}

}  // namespace
}  // namespace bellwire::cli
