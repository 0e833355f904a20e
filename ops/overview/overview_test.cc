#include "ops/overview/overview.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::metrics {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Snapshot At(int seconds, absl::string_view text) {
  return {.time = MonotonicTime() + absl::Seconds(seconds),
          .wall_time = kNow + absl::Seconds(seconds),
          .samples = *ParseMetricsText(text)};
}

std::vector<std::string> Alerts(const Overview& overview) {
  std::vector<std::string> alerts;
  for (const Problem& problem : overview.problems) {
    EXPECT_FALSE(problem.summary.empty() || problem.to_do.empty()) << problem.alert;
    alerts.push_back(problem.alert);
  }
  return alerts;
}

constexpr char kServer[] =
    "bellwire_build_info{program=\"bellwire-serve\",version=\"9.1\"} 1\n"
    "bellwire_ready 1\n"
    "process_start_time_seconds 1799990000\n"
    "bellwire_connector_sessions 12\n"
    "bellwire_registry_store_ok 1\n"
    "bellwire_queue_length{queue=\"sends\"} 10\n"
    "bellwire_queue_bound{queue=\"sends\"} 100\n"
    "bellwire_queue_length{queue=\"logins\"} 1\n"
    "bellwire_queue_bound{queue=\"logins\"} 2\n";

TEST(Overview, OfOneLookHasNoRates) {
  const Overview overview = MakeOverview(nullptr, At(0, kServer));
  EXPECT_EQ(overview.version, "9.1");
  EXPECT_EQ(overview.sessions, 12);
  EXPECT_EQ(overview.store_ok, true);
  EXPECT_EQ(overview.started, absl::FromUnixSeconds(1'799'990'000));
  EXPECT_FALSE(overview.rates.has_value());
  ASSERT_EQ(overview.queues.size(), 2u);
  EXPECT_EQ(overview.queues[0].name, "logins") << "the fullest comes first";
  EXPECT_TRUE(overview.problems.empty());
}

TEST(Overview, OfTwoLooksHasRatesAndLatencies) {
  const Snapshot before = At(0,
                             "bellwire_gateway_messages_total{outcome=\"accepted\"} 100\n"
                             "bellwire_registry_steps_total{step=\"app_acked\"} 7\n"
                             "bellwire_gateway_send_seconds_bucket{le=\"0.01\"} 100\n"
                             "bellwire_gateway_send_seconds_bucket{le=\"+Inf\"} 100\n"
                             "process_cpu_seconds_total 3\n");
  const Snapshot now = At(10,
                          "bellwire_gateway_messages_total{outcome=\"accepted\"} 300\n"
                          "bellwire_gateway_messages_total{outcome=\"invalid\"} 50\n"
                          "bellwire_registry_steps_total{step=\"app_acked\"} 107\n"
                          "bellwire_gateway_send_seconds_bucket{le=\"0.01\"} 300\n"
                          "bellwire_gateway_send_seconds_bucket{le=\"+Inf\"} 300\n"
                          "process_cpu_seconds_total 8\n");
  const Overview overview = MakeOverview(&before, now);
  ASSERT_TRUE(overview.rates.has_value());
  EXPECT_DOUBLE_EQ(overview.rates->sends, 25);
  EXPECT_DOUBLE_EQ(overview.rates->refused, 5);
  EXPECT_DOUBLE_EQ(overview.rates->failed, 0);
  EXPECT_DOUBLE_EQ(overview.rates->to_app, 10);
  EXPECT_DOUBLE_EQ(overview.rates->cpus, 0.5);
  ASSERT_TRUE(overview.send.has_value());
  EXPECT_EQ(overview.send->p50, absl::Milliseconds(5));
  EXPECT_FALSE(overview.commit.has_value());
  EXPECT_FALSE(overview.sessions.has_value()) << "no connector is among them";
}

TEST(Overview, AddsUpSeveralPrograms) {
  const Overview overview =
      MakeOverview(nullptr, At(0, absl::StrCat(kServer,
                                               "bellwire_ready 0\n"
                                               "bellwire_connector_sessions 30\n"
                                               "bellwire_queue_length{queue=\"sends\"} 90\n"
                                               "bellwire_queue_bound{queue=\"sends\"} 100\n")));
  EXPECT_EQ(overview.sessions, 42);
  EXPECT_FALSE(overview.ready);
  EXPECT_EQ(overview.queues[0].name, "sends");
  EXPECT_EQ(overview.queues[0].length, 90);
  EXPECT_EQ(Alerts(overview), (std::vector<std::string>{"BellwireNotReady", "BellwireQueueFull"}));
}

TEST(Overview, SaysWhatIsWrong) {
  using Strings = std::vector<std::string>;
  const auto alerts = [](absl::string_view text) {
    const Snapshot before = At(0, "");
    return Alerts(MakeOverview(&before, At(10, text)));
  };
  EXPECT_EQ(alerts("bellwire_registry_store_ok 0\nbellwire_ready 0\n"),
            (Strings{"BellwireStoreFailing", "BellwireNotReady"}));
  EXPECT_EQ(alerts("bellwire_gateway_messages_total{outcome=\"accepted\"} 90\n"
                   "bellwire_gateway_messages_total{outcome=\"unavailable\"} 10\n"),
            Strings{"BellwireSendsFail"});
  EXPECT_EQ(alerts("bellwire_gateway_messages_total{outcome=\"unavailable\"} 1\n"), Strings{})
      << "one is none";
  EXPECT_EQ(alerts("bellwire_gateway_messages_total{outcome=\"overloaded\"} 100\n"),
            Strings{"BellwireOverloaded"});
  EXPECT_EQ(alerts("bellwire_gateway_messages_total{outcome=\"accepted\"} 100\n"
                   "bellwire_gateway_send_seconds_bucket{le=\"1\"} 90\n"
                   "bellwire_gateway_send_seconds_bucket{le=\"4\"} 100\n"),
            Strings{"BellwireSlowSends"});
  EXPECT_EQ(alerts("bellwire_registry_commit_seconds_bucket{le=\"0.5\"} 0\n"
                   "bellwire_registry_commit_seconds_bucket{le=\"1\"} 9\n"),
            Strings{"BellwireSlowCommits"});
  EXPECT_EQ(alerts("bellwire_connector_logins_total{result=\"login_refused\"} 100\n"
                   "bellwire_connector_logins_total{result=\"ok\"} 9\n"),
            Strings{"BellwireLoginsFail"});
  EXPECT_EQ(alerts("process_open_fds 95\nprocess_max_fds 100\n"),
            Strings{"BellwireDescriptorsScarce"});
  const auto certificate = [&](absl::Duration left) {
    return alerts(
        absl::StrCat("bellwire_certificate_expiry_timestamp_seconds{certificate=\"server\"} ",
                     absl::ToUnixSeconds(kNow + left), "\n"));
  };
  EXPECT_EQ(certificate(absl::Hours(20 * 24)), Strings{});
  EXPECT_EQ(certificate(absl::Hours(13 * 24)), Strings{"BellwireCertificateExpires"});
  EXPECT_EQ(certificate(-absl::Hours(1)), Strings{"BellwireCertificateExpires"});
  EXPECT_EQ(alerts("bellwire_certificate_expiry_timestamp_seconds{certificate=\"ca\"} 0\n"),
            Strings{"BellwireCertificateExpires"});
}

TEST(Overview, TheJsonLeavesOutWhatIsNotKnown) {
  const nlohmann::ordered_json json = ToJson(MakeOverview(nullptr, At(0, kServer)));
  EXPECT_EQ(json["sessions"], 12);
  EXPECT_EQ(json["started"], "2027-01-15T05:13:20.000Z");
  EXPECT_EQ(json["queues"][0]["name"], "logins");
  EXPECT_FALSE(json.contains("rates") || json.contains("send") || json.contains("bytes_in_flight"));
}

}  // namespace
}  // namespace bellwire::metrics
