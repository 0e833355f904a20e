// What a connection makes of what its device tells about networks.

#include <string>

#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using S = ConnectionState;
using H = ConnectionHarness;

device::v1::NetworkReport Report(uint32_t interval_ms) {
  device::v1::NetworkReport report;
  report.set_network_id(std::string(NetworkId::kSize, 'n'));
  report.set_interval_ms(interval_ms);
  return report;
}

void Receive(H& h, const device::v1::NetworkReport& report) {
  device::v1::AgentFrame frame;
  *frame.mutable_network_report() = report;
  h.Receive(frame);
}

TEST(NetworkReportTest, GoesWithTheBindAndTheHintComesWithTheWelcome) {
  H h;
  h.connection.OnOpen();
  device::v1::AgentFrame login = H::LoginFrame();
  *login.mutable_login()->mutable_network() = Report(279'000);
  h.Receive(login);
  ASSERT_EQ(h.host.binds.size(), 1u);
  EXPECT_EQ(h.host.binds[0].network().network_id(), std::string(NetworkId::kSize, 'n'));
  EXPECT_EQ(h.host.binds[0].network().interval_ms(), 279'000u);
  internal::v1::BindResponse bound = H::Bound();
  bound.set_hint_interval_ms(272'000);
  h.connection.OnBound(bound);
  EXPECT_EQ(h.host.frames.at(0).welcome().heartbeat_bounds().hint_interval_ms(), 272'000u);
}

TEST(NetworkReportTest, ALoginThatTellsNothingAsksForNothing) {
  H h;
  h.BringTo(S::kActive);
  EXPECT_FALSE(h.host.binds.at(0).has_network());
  EXPECT_EQ(h.host.frames.at(0).welcome().heartbeat_bounds().hint_interval_ms(), 0u);
}

TEST(NetworkReportTest, WhatIsLearnedInASessionGoesToTheRegistry) {
  H h;
  h.BringTo(S::kActive);
  Receive(h, Report(279'000));
  ASSERT_EQ(h.host.network_reports.size(), 1u);
  EXPECT_EQ(h.host.network_reports[0].device_id(), h.device_id.bytes());
  EXPECT_EQ(h.host.network_reports[0].network().interval_ms(), 279'000u);
}

TEST(NetworkReportTest, AQuestionInASessionIsAnsweredWithTheHint) {
  H h;
  h.BringTo(S::kActive);
  Receive(h, Report(0));
  ASSERT_EQ(h.host.network_reports.size(), 1u);
  EXPECT_EQ(h.host.network_reports[0].network().interval_ms(), 0u);
  for (const uint32_t hint_ms : {272'000u, 0u}) {
    h.host.frames.clear();
    h.connection.OnNetworkHint(hint_ms);
    ASSERT_EQ(h.host.frames.size(), 1u);
    const device::v1::HeartbeatBounds& bounds = h.host.frames[0].heartbeat_bounds();
    EXPECT_EQ(bounds.min_interval_ms(), 10'000u);
    EXPECT_EQ(bounds.max_interval_ms(), 3'600'000u);
    EXPECT_EQ(bounds.hint_interval_ms(), hint_ms);
  }
}

TEST(NetworkReportTest, AHintThatComesTooLateIsNotSent) {
  H h;
  h.BringTo(S::kDraining);
  h.host.frames.clear();
  h.connection.OnNetworkHint(272'000);
  EXPECT_TRUE(h.host.frames.empty()) << "after GoAway nothing goes to the device";
}

TEST(NetworkReportTest, ASessionIsHeardSoOften) {
  H h;
  h.BringTo(S::kActive);
  for (int i = 0; i < 100; ++i) Receive(h, Report(279'000));
  EXPECT_EQ(h.host.network_reports.size(), static_cast<size_t>(kMaxNetworkReports));
  EXPECT_EQ(h.connection.state(), S::kActive);
}

TEST(NetworkReportTest, WithoutANetworkItBreaksTheProtocol) {
  H h;
  h.BringTo(S::kActive);
  device::v1::NetworkReport report = Report(279'000);
  report.set_network_id("short");
  Receive(h, report);
  EXPECT_EQ(h.LastGoAway().reason(), device::v1::GoAway::PROTOCOL_ERROR);
  EXPECT_EQ(h.connection.state(), S::kClosed);
}

}  // namespace
}  // namespace bellwire::connector
