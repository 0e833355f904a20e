// The agent that the system tells which network it is in, on simulated streams and a simulated
// clock.

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/core/agent_core.h"
#include "device-agent/heartbeat/learned_heartbeat.h"
#include "device-agent/heartbeat/network_names.h"
#include "device-agent/testing/fake_app.h"
#include "device-agent/testing/fake_connector.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"
#include "net/simulated/simulated_network.h"

namespace bellwire::agent {
namespace {

constexpr char kServer[] = "server:7444";
constexpr char kAgent[] = "agent.sock";
constexpr uid_t kAgentUid = 900;
constexpr absl::Duration kSoon = absl::Milliseconds(50);

class AgentCoreNamedTest : public testing::Test {
 protected:
  AgentCoreNamedTest() {
    network_.Listen(kServer, [this](std::unique_ptr<net::Stream> stream) {
      server_.Accept(std::move(stream));
    });
    network_.Listen(kAgent, [this](std::unique_ptr<net::Stream> stream) {
      core_->AcceptApp(std::move(stream), who_);
    });
    inbox_ = *Inbox::Open(dir_.path("inbox.db"), &clock_);
    core_ = std::make_unique<AgentCore>(
        &loop_, inbox_.get(), key_.get(), &heartbeat_, random_,
        AgentCore::Options{
            .servers = {kServer},
            .dial = [this](const std::string& address) { return network_.Connect(address); },
            .agent_uid = kAgentUid,
            .set_network =
                [this](const v1::SetNetwork& request) {
                  return TakeNetworkName(request, "wwan0", &names_);
                }});
    core_->Start();
    EXPECT_TRUE(loop_.RunUntil([this] { return server_.ready(); }, absl::Seconds(1)));
    loop_.RunFor(kSoon);
  }
  ~AgentCoreNamedTest() override {
    core_.reset();
    server_.Drop();
    loop_.Post([] {});
    loop_.RunUntilIdle();
  }

  std::unique_ptr<FakeApp> Connect(AppOwner who, const std::string& app_id = "") {
    who_ = std::move(who);
    auto app = std::make_unique<FakeApp>(&loop_, network_.Connect(kAgent), app_id, true);
    loop_.RunFor(kSoon);
    return app;
  }
  v1::Status StatusFor(FakeApp* app) {
    app->AskForStatus();
    loop_.RunFor(kSoon);
    return app->statuses.empty() ? v1::Status() : app->statuses.back();
  }

  SimulatedClock clock_;
  net::SimulatedLoop loop_{&clock_};
  net::SimulatedNetwork network_{&loop_, 1};
  std::mt19937_64 random_{3};
  TempDir dir_;
  std::unique_ptr<DeviceKey> key_ = *DeviceKey::Generate();
  NetworkNames names_;
  LearnedHeartbeat heartbeat_{{.clock = &clock_, .network = [this] {
                                 return names_.Complete(
                                     {.interface = "wwan0", .gateway = "10.0.0.1"});
                               }}};
  FakeConnector server_{&loop_};
  AppOwner who_ = 0;
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<AgentCore> core_;
};

TEST_F(AgentCoreNamedTest, RootAndTheAgentsUserSayWhichNetworkItIs) {
  EXPECT_FALSE(server_.logins.at(0).has_network());
  auto root = Connect(0);
  EXPECT_FALSE(StatusFor(root.get()).network().named());
  root->SetNetwork(v1::SetNetwork::CELLULAR, "26201/internet");
  loop_.RunFor(kSoon);
  EXPECT_EQ(root->networks_set, 1);
  const v1::Status status = StatusFor(root.get());
  EXPECT_TRUE(status.network().named());
  EXPECT_EQ(status.network().kind(), "cellular");
  EXPECT_EQ(status.SerializeAsString().find("26201"), std::string::npos) << "a digest only";
  // The session lives on, and asks for a hint.
  EXPECT_EQ(server_.connections, 1);
  ASSERT_EQ(server_.network_reports.size(), 1u);
  EXPECT_EQ(server_.network_reports[0].interval_ms(), 0u);

  device::v1::ConnectorFrame hint;
  hint.mutable_heartbeat_bounds()->set_min_interval_ms(10'000);
  hint.mutable_heartbeat_bounds()->set_max_interval_ms(3'600'000);
  hint.mutable_heartbeat_bounds()->set_hint_interval_ms(1'200'000);
  server_.Send(hint);
  loop_.RunFor(kSoon);
  EXPECT_EQ(StatusFor(root.get()).heartbeat_interval_ms(), 1'200'000u);
  const int beats = server_.heartbeats;
  loop_.RunFor(absl::Minutes(19));
  EXPECT_EQ(server_.heartbeats, beats);
  loop_.RunFor(absl::Minutes(2));
  EXPECT_EQ(server_.heartbeats, beats + 1) << "the timer was set anew";
  // It survived: told as this device's own.
  EXPECT_EQ(server_.network_reports.back().interval_ms(), 1'200'000u);
  EXPECT_EQ(server_.network_reports.back().network_id(), server_.network_reports[0].network_id());

  auto own = Connect(kAgentUid);
  own->SetNetwork(v1::SetNetwork::CELLULAR, "26202/internet");
  loop_.RunFor(kSoon);
  EXPECT_EQ(own->networks_set, 1);
  EXPECT_NE(server_.network_reports.back().network_id(), server_.network_reports[0].network_id());
  own->SetNetwork(v1::SetNetwork::KIND_UNSPECIFIED, "");
  loop_.RunFor(kSoon);
  EXPECT_EQ(own->networks_set, 2);
  EXPECT_FALSE(StatusFor(own.get()).network().named()) << "forgotten";
}

TEST_F(AgentCoreNamedTest, AnAppHasNoSay) {
  auto app = Connect(1000, "com.example.mail");
  app->SetNetwork(v1::SetNetwork::CELLULAR, "26201/internet");
  loop_.RunFor(kSoon);
  EXPECT_EQ(app->errors, (std::vector<v1::Error::Code>{v1::Error::PERMISSION_DENIED}));
  EXPECT_TRUE(app->closed());
  EXPECT_EQ(app->networks_set, 0);
  EXPECT_TRUE(server_.network_reports.empty());
  auto root = Connect(0);
  EXPECT_FALSE(StatusFor(root.get()).network().named());
}

TEST_F(AgentCoreNamedTest, WhatIsNoNameIsRefused) {
  auto root = Connect(0);
  root->SetNetwork(v1::SetNetwork::KIND_UNSPECIFIED, "home");
  loop_.RunFor(kSoon);
  EXPECT_EQ(root->errors, (std::vector<v1::Error::Code>{v1::Error::PROTOCOL_ERROR}));
  EXPECT_TRUE(root->closed());
}

}  // namespace
}  // namespace bellwire::agent
