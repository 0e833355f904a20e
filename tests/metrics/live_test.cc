// A Prometheus that scrapes a whole system of real processes: every expression of the dashboards
// and alerts finds data, and what is scraped is what the catalogue says.

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "ops/metrics/catalogue.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using nlohmann::json;

constexpr char kApp[] = "com.example.mail";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What curl prints.
std::string Curl(const std::string& arguments) {
  std::string out;
  FILE* pipe = popen(absl::StrCat("curl -sS --max-time 30 ", arguments).c_str(), "r");
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
    out.append(buffer.data(), n);
  }
  pclose(pipe);
  return out;
}

class LiveMetricsTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    const std::vector<std::string> listen = {"--metrics_listen", "127.0.0.1:0"};
    Fleet::Options options;
    options.more_registry_arguments = listen;
    std::vector<std::string> programs = {"serve"};
    if (GetParam() == Deployment::kSeparate) {
      options.more_connector_arguments = listen;
      options.more_gateway_arguments = listen;
      programs = {"registry", "connector-0", "connector-1", "gateway-0", "gateway-1"};
    }
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = *std::move(fleet);
    for (const std::string& program : programs) AddTarget(program);

    auto agent = Process::Start(
        "agent", "device-agent/bellwire-agent",
        {"--server", fleet_->device_address(), "--ca", fleet_->ca_file(), "--state_dir",
         fleet_->path("phone"), "--socket", fleet_->path("agent.sock"), "--metrics_listen",
         "127.0.0.1:0", "--ready_file", fleet_->path("agent.ready")});
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    ASSERT_TRUE(agent_->WaitReady(fleet_->path("agent.ready")).ok());
    AddTarget("agent");
    StartCompanion();

    auto provider = Provider::Create(*fleet_, {kApp});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::make_unique<Provider>(*std::move(provider));
    app_ = std::make_unique<App>(fleet_->path("agent.sock"), kApp);
    token_ = app_->WaitForToken();
    ASSERT_NE(token_, "");
    StartPrometheus();
  }

  // On a session bus of its own.
  void StartCompanion() {
    const std::string bus = fleet_->path("bus");
    auto daemon = Process::Start("bus", "/usr/bin/dbus-daemon",
                                 {"--session", "--nofork", "--nopidfile",
                                  absl::StrCat("--address=unix:path=", bus)});
    ASSERT_TRUE(daemon.ok()) << daemon.status();
    bus_ = *std::move(daemon);
    ASSERT_TRUE(WaitUntil([&] { return access(bus.c_str(), F_OK) == 0; }));
    ASSERT_EQ(setenv("DBUS_SESSION_BUS_ADDRESS", absl::StrCat("unix:path=", bus).c_str(), 1), 0);
    auto companion = Process::Start(
        "companion", "device-agent/companion/bellwire-companion",
        {"--socket", fleet_->path("agent.sock"), "--state_dir", fleet_->path("user"),
         "--metrics_listen", "127.0.0.1:0", "--ready_file", fleet_->path("companion.ready")});
    ASSERT_TRUE(companion.ok()) << companion.status();
    companion_ = *std::move(companion);
    ASSERT_TRUE(companion_->WaitReady(fleet_->path("companion.ready")).ok());
    AddTarget("companion");
  }

  void AddTarget(const std::string& program) {
    const json ready = json::parse(ReadFile(fleet_->path(absl::StrCat(program, ".ready"))));
    targets_.push_back(ready.at("metrics_address"));
  }

  void StartPrometheus() {
    const std::string rules = fleet_->path("alerts.yml");
    std::ofstream(rules) << ReadFile("deploy/prometheus/alerts.yml");
    const std::string config = fleet_->path("prometheus.yml");
    std::ofstream(config) << absl::StrCat(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [\"", rules,
        "\"]\nscrape_configs:\n- job_name: bellwire\n  static_configs:\n  - targets: [\"",
        absl::StrJoin(targets_, "\", \""), "\"]\n");
    auto prometheus = Process::Start(
        "prometheus", "/usr/bin/prometheus",
        {absl::StrCat("--config.file=", config),
         absl::StrCat("--storage.tsdb.path=", fleet_->path("tsdb")),
         "--web.listen-address=127.0.0.1:0"});
    ASSERT_TRUE(prometheus.ok()) << prometheus.status();
    prometheus_ = *std::move(prometheus);
    static constexpr absl::string_view kListening = "msg=\"Listening on\" address=";
    ASSERT_TRUE(WaitUntil([this] {
      const std::string log = prometheus_->Log();
      const size_t at = log.find(kListening.data());
      if (at == std::string::npos) return false;
      const size_t begin = at + kListening.size();
      const size_t end = log.find('\n', begin);
      if (end == std::string::npos) return false;
      address_ = log.substr(begin, end - begin);
      return true;
    })) << prometheus_->Log();
  }

  // The result of an instant query. Null: it can't be evaluated, which fails the test.
  json Query(const std::string& expression) const {
    const std::string file = fleet_->path("query");
    std::ofstream(file) << expression;
    const std::string answer = Curl(
        absl::StrCat("--data-urlencode query@", file, " http://", address_, "/api/v1/query"));
    const json parsed = json::parse(answer, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_discarded() || parsed.value("status", "") != "success") {
      // While it starts it says so in plain text.
      if (!absl::StrContains(answer, "Service Unavailable")) {
        ADD_FAILURE() << expression << ": " << answer;
      }
      return nullptr;
    }
    return parsed.at("data").at("result");
  }

  // Whether it has a value that is a number.
  bool HasData(const std::string& expression) const {
    const json result = Query(expression);
    if (result.is_null()) return false;
    for (const json& series : result) {
      if (series.at("value").at(1) != "NaN") return true;
    }
    return false;
  }

  // A life of a message from the door to the app, so that rates are not zero.
  void SendOne() {
    push::v1::SendRequest request;
    request.set_token(token_);
    request.set_payload("hello");
    ASSERT_TRUE(provider_->Send(request, sent_ % 2).ok());
    ++sent_;
    ASSERT_TRUE(app_->WaitForTaken(static_cast<size_t>(sent_)));
  }

  // Goes on sending until `expression` has data.
  bool WaitForData(const std::string& expression) {
    return WaitUntil([&] {
      SendOne();
      return HasData(expression);
    });
  }

  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Process> agent_;
  std::unique_ptr<Process> bus_;
  std::unique_ptr<Process> companion_;
  std::unique_ptr<Provider> provider_;
  std::unique_ptr<App> app_;
  std::string token_;
  int sent_ = 0;
  std::vector<std::string> targets_;
  std::unique_ptr<Process> prometheus_;
  std::string address_;
};

std::string ForInstantQuery(const std::string& expression) {
  return absl::StrReplaceAll(expression, {{"$__rate_interval", "1m"},
                                          {"=~\"$job\"", "=~\".*\""},
                                          {"=~\"$instance\"", "=~\".*\""}});
}

TEST_P(LiveMetricsTest, DashboardsAndAlertsFindData) {
  ASSERT_TRUE(WaitForData(
      absl::StrCat("sum(up) == ", targets_.size(), " and min(count_over_time(up[1m])) > 3")));

  for (const char* file : {"deploy/grafana/bellwire.json", "deploy/grafana/bellwire-agents.json"}) {
    const json dashboard = json::parse(ReadFile(file));
    size_t expressions = 0;
    for (const json& panel : dashboard.at("panels")) {
      for (const json& target : panel.value("targets", json::array())) {
        ++expressions;
        const std::string expression = ForInstantQuery(target.at("expr"));
        EXPECT_FALSE(absl::StrContains(expression, '$')) << expression;
        EXPECT_TRUE(WaitForData(expression))
            << file << ", panel \"" << panel.at("title").get<std::string>() << "\": " << expression;
      }
    }
    EXPECT_GT(expressions, 3u);
  }

  // Alerts: each is evaluated without an error, and each metric that it names is there.
  json rules;
  ASSERT_TRUE(WaitUntil([&] {
    const json answer = json::parse(Curl(absl::StrCat("http://", address_, "/api/v1/rules")));
    rules = answer.at("data").at("groups").at(0).at("rules");
    for (const json& rule : rules) {
      if (rule.at("health") == "unknown") return false;
    }
    return true;
  }));
  EXPECT_GT(rules.size(), 5u);
  for (const json& rule : rules) {
    EXPECT_EQ(rule.at("health"), "ok") << rule;
    const std::string query = rule.at("query");
    size_t metrics = 0;
    for (size_t at = 0; at < query.size();) {
      if (!absl::ascii_isalpha(static_cast<unsigned char>(query[at]))) {
        ++at;
        continue;
      }
      size_t end = at;
      while (end < query.size() &&
             (absl::ascii_isalnum(static_cast<unsigned char>(query[end])) || query[end] == '_')) {
        ++end;
      }
      const std::string word = query.substr(at, end - at);
      at = end;
      if (word != "up" && !absl::StartsWith(word, "bellwire_") &&
          !absl::StartsWith(word, "process_")) {
        continue;
      }
      ++metrics;
      EXPECT_TRUE(HasData(word)) << rule.at("name") << ": " << word;
    }
    EXPECT_GT(metrics, 0u) << query;
  }
}

TEST_P(LiveMetricsTest, WhatIsScrapedIsWhatTheCatalogueSays) {
  SendOne();
  std::set<std::string> expected;
  for (const metrics::Metric* metric : metrics::AllMetrics()) {
    if (metric->kind == metrics::Kind::kHistogram) {
      for (const char* suffix : {"_bucket", "_count", "_sum"}) {
        expected.insert(absl::StrCat(metric->name, suffix));
      }
    } else {
      expected.insert(metric->name);
    }
  }
  std::set<std::string> scraped;
  // All targets were scraped once, whichever came first.
  EXPECT_TRUE(WaitUntil([&] {
    const json answer =
        json::parse(Curl(absl::StrCat("http://", address_, "/api/v1/label/__name__/values")),
                    nullptr, /*allow_exceptions=*/false);
    if (answer.is_discarded()) return false;
    scraped.clear();
    for (const std::string name : answer.at("data")) {
      if (absl::StartsWith(name, "bellwire_") || absl::StartsWith(name, "process_")) {
        scraped.insert(name);
      }
    }
    return scraped == expected;
  })) << "scraped: "
      << absl::StrJoin(scraped, " ") << "\nthe catalogue: " << absl::StrJoin(expected, " ");
}

// No label tells a team, an app, a device or a token.
TEST_P(LiveMetricsTest, NobodyIsNamed) {
  SendOne();
  for (const std::string& target : targets_) {
    const std::string text = Curl(absl::StrCat("http://", target, "/metrics"));
    EXPECT_TRUE(absl::StrContains(text, "bellwire_build_info")) << target;
    EXPECT_FALSE(absl::StrContains(text, provider_->team_id())) << target;
    EXPECT_FALSE(absl::StrContains(text, kApp)) << target;
    EXPECT_FALSE(absl::StrContains(text, token_)) << target;
  }
}

INSTANTIATE_TEST_SUITE_P(Deployments, LiveMetricsTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
