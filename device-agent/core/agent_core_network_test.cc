// The agent when the network changes or the phone sleeps, on simulated streams and a simulated
// clock.

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <memory>
#include <random>
#include <string>
#include <utility>

#include "common/limits.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/core/agent_core.h"
#include "device-agent/network/network_monitor.h"
#include "device-agent/testing/fake_connector.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"
#include "net/simulated/simulated_network.h"

namespace bellwire::agent {
namespace {

using Kind = NetworkFact::Kind;

constexpr char kServer[] = "server:7444";
constexpr int kWlan = 2;
const NetworkFact kLink{.kind = Kind::kLink, .interface = kWlan};
const NetworkFact kAddress{Kind::kAddress, kWlan, AF_INET, "192.0.2.7"};
const NetworkFact kOtherAddress{Kind::kAddress, kWlan, AF_INET, "192.0.2.8"};
const NetworkFact kRoute{Kind::kRoute, kWlan, AF_INET, "192.0.2.1", 0, RT_TABLE_MAIN};

// Counts what is armed of it: a timer that wakes the phone.
class CountingTimer final : public net::Timer {
 public:
  CountingTimer(std::unique_ptr<net::Timer> timer, int* armed)
      : timer_(std::move(timer)), armed_(armed) {}
  void Arm(absl::Duration delay) override {
    *armed_ = 1;
    timer_->Arm(delay);
  }
  void Cancel() override {
    *armed_ = 0;
    timer_->Cancel();
  }
  bool armed() const override { return timer_->armed(); }

 private:
  const std::unique_ptr<net::Timer> timer_;
  int* const armed_;
};

class AgentCoreNetworkTest : public testing::Test {
 protected:
  AgentCoreNetworkTest() {
    network_.set_link_options({.client_host = "192.0.2.7"});
    network_.Listen(kServer, [this](std::unique_ptr<net::Stream> stream) {
      server_.Accept(std::move(stream));
    });
    inbox_ = *Inbox::Open(dir_.path("inbox.db"), &clock_);
    core_ = std::make_unique<AgentCore>(
        &loop_, inbox_.get(), key_.get(), &heartbeat_, random_,
        AgentCore::Options{
            .servers = {kServer},
            .dial = [this](const std::string& address) { return network_.Connect(address); },
            .network = &monitor_,
            .new_wakeup_timer =
                [this](absl::AnyInvocable<void()> on_fire) {
                  return std::make_unique<CountingTimer>(loop_.NewTimer(std::move(on_fire)),
                                                         &alarms_armed_);
                }});
    core_->Start();
    EXPECT_TRUE(loop_.RunUntil([this] { return server_.ready(); }, absl::Seconds(1)));
    loop_.RunFor(absl::Seconds(1));
  }
  ~AgentCoreNetworkTest() override {
    core_.reset();
    server_.Drop();
    loop_.Post([] {});
    loop_.RunUntilIdle();
  }

  // It is so now, and has settled.
  void Settle(NetworkFacts facts) {
    for (const NetworkFact& fact : monitor_.facts()) {
      if (!facts.contains(fact)) monitor_.OnNews({fact, false});
    }
    for (const NetworkFact& fact : facts) monitor_.OnNews({fact, true});
    loop_.RunFor(kNetworkSettle);
    if (monitor_.Settle(std::move(facts))) core_->OnNetworkChanged();
  }

  SimulatedClock clock_;
  net::SimulatedLoop loop_{&clock_};
  net::SimulatedNetwork network_{&loop_, 1};
  std::mt19937_64 random_{3};
  TempDir dir_;
  std::unique_ptr<DeviceKey> key_ = *DeviceKey::Generate();
  FixedHeartbeat heartbeat_{absl::Minutes(10)};
  FakeConnector server_{&loop_};
  NetworkMonitor monitor_{&clock_, {kLink, kAddress, kRoute}};
  int alarms_armed_ = 0;
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<AgentCore> core_;
};

TEST_F(AgentCoreNetworkTest, AnotherAddressIsAnotherSessionWithinASecond) {
  network_.set_link_options({.client_host = "192.0.2.8"});
  Settle({kLink, kOtherAddress, kRoute});
  EXPECT_TRUE(loop_.RunUntil([this] { return server_.logins.size() == 2 && server_.ready(); },
                             absl::Seconds(1) - kNetworkSettle));
  // And that one stands on the new address.
  Settle({kLink, kOtherAddress, kRoute, kAddress});
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(server_.logins.size(), 2u);
}

TEST_F(AgentCoreNetworkTest, WhatTheSessionDoesNotStandOnIsLeftAlone) {
  Settle({kLink, kAddress, kRoute, kOtherAddress});
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(server_.logins.size(), 1u);
  EXPECT_EQ(server_.heartbeats, 0);
}

TEST_F(AgentCoreNetworkTest, WithoutANetworkThePhoneIsNotWoken) {
  EXPECT_EQ(alarms_armed_, 1);
  network_.Cut(kServer);
  Settle({});
  loop_.RunFor(absl::Minutes(30));
  EXPECT_EQ(alarms_armed_, 0) << "attempts go on, but only while the phone is awake anyway";
  network_.Mend(kServer);
  Settle({kLink, kAddress, kRoute});
  EXPECT_TRUE(loop_.RunUntil([this] { return server_.logins.size() == 2 && server_.ready(); },
                             absl::Seconds(1)));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(alarms_armed_, 1);
}

TEST_F(AgentCoreNetworkTest, AResumedPhoneBeatsAtOnce) {
  clock_.Suspend(kSuspendWorthABeat - absl::Milliseconds(1));
  core_->OnClockChanged();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.heartbeats, 0) << "that was a nap";
  clock_.Suspend(kSuspendWorthABeat);
  core_->OnClockChanged();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.heartbeats, 1);
  clock_.JumpWall(absl::Hours(24));
  core_->OnClockChanged();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(server_.heartbeats, 1) << "a clock that was set is no sleep";
}

TEST_F(AgentCoreNetworkTest, SleepCountsTowardsTheNextBeat) {
  // A nap of 8 s each minute: never long enough to beat for it.
  for (int minute = 0; minute < 9; ++minute) {
    loop_.RunFor(absl::Seconds(52));
    clock_.Suspend(absl::Seconds(8));
    core_->OnClockChanged();
  }
  EXPECT_EQ(server_.heartbeats, 0);
  loop_.RunFor(absl::Seconds(61));
  EXPECT_EQ(server_.heartbeats, 1) << "ten minutes of silence, awake or not";
}

}  // namespace
}  // namespace bellwire::agent
