#ifndef BELLWIRE_DEVICE_AGENT_TESTING_AGENT_CORE_FIXTURE_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_AGENT_CORE_FIXTURE_H_

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/apps/app_key.h"
#include "device-agent/core/agent_core.h"
#include "device-agent/enrolment/enrolment.h"
#include "device-agent/testing/fake_app.h"
#include "device-agent/testing/fake_connector.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"
#include "net/simulated/simulated_network.h"

namespace bellwire::agent {

inline constexpr char kServer[] = "server:7444";
inline constexpr char kAgent[] = "agent.sock";
inline constexpr uid_t kAgentUid = 900;
inline constexpr uid_t kUser = 1000;
inline constexpr absl::Duration kSoon = absl::Seconds(1);

// The whole agent but for real sockets: a fake connector and fake apps over simulated streams. Time
// is simulated; the inbox is a file.
class AgentCoreFixture : public testing::Test {
 protected:
  AgentCoreFixture() {
    network_.Listen(kServer, [this](std::unique_ptr<net::Stream> stream) {
      server_.Accept(std::move(stream));
    });
    network_.Listen(kAgent, [this](std::unique_ptr<net::Stream> stream) {
      if (core_ != nullptr) core_->AcceptApp(std::move(stream), who_);
    });
    StartAgent();
    Run(kSoon);
  }
  ~AgentCoreFixture() override {
    KillAgent();
    server_.Drop();
    // Deletions follow a callback; the streams must go before their network does.
    loop_.Post([] {});
    loop_.RunUntilIdle();
  }

  void StartAgent() {
    auto inbox = Inbox::Open(dir_.path("inbox.db"), &clock_);
    ASSERT_TRUE(inbox.ok()) << inbox.status();
    inbox_ = *std::move(inbox);
    enrolment_.emplace(dir_.path("enrolment"));
    core_ = std::make_unique<AgentCore>(
        &loop_, inbox_.get(), key_.get(), &heartbeat_, random_,
        AgentCore::Options{
            .servers = {kServer},
            .dial = [this](const std::string& address) { return network_.Connect(address); },
            .agent_uid = kAgentUid,
            .start_app = StartApp(),
            .policy = policy_,
            .enrolment = &*enrolment_});
    core_->Start();
  }
  absl::AnyInvocable<bool(const std::string&, const AppOwner&)> StartApp() {
    if (!started_.has_value()) return nullptr;
    return [this](const std::string& key, const AppOwner& owner) {
      EXPECT_EQ(owner.uid, kUser);
      started_->push_back(AppIdOf(key));
      loop_.Post([this, key] { core_->OnAppStartEnded(key); });
      return true;
    };
  }
  // Without a chance to say or write anything.
  void KillAgent() {
    core_.reset();
    inbox_.reset();
  }

  std::unique_ptr<FakeApp> App(const std::string& app_id, bool acks = true, AppOwner who = kUser) {
    who_ = std::move(who);
    auto app = std::make_unique<FakeApp>(&loop_, network_.Connect(kAgent), app_id, acks);
    Run(absl::Milliseconds(20));
    return app;
  }

  void Run(absl::Duration d) { loop_.RunFor(d); }
  void RunUntilReady() {
    ASSERT_TRUE(loop_.RunUntil([this] { return server_.ready(); }, absl::Minutes(20)));
    Run(absl::Milliseconds(20));
  }
  uint64_t IdOf(const std::string& app_id) { return server_.RegistrationIdOf(app_id); }

  static std::vector<std::string> Messages(uint64_t first, uint64_t last) {
    std::vector<std::string> result;
    for (uint64_t n = first; n <= last; ++n) result.push_back(absl::StrCat("message ", n));
    return result;
  }

  SimulatedClock clock_;
  net::SimulatedLoop loop_{&clock_};
  net::SimulatedNetwork network_{&loop_, 1};
  std::mt19937_64 random_{3};
  TempDir dir_;
  std::unique_ptr<DeviceKey> key_ = *DeviceKey::Generate();
  FixedHeartbeat heartbeat_{absl::Minutes(4)};
  FakeConnector server_{&loop_};
  AppOwner who_ = kUser;
  // Apps that were started; empty: none can be.
  std::optional<std::vector<std::string>> started_;
  AppPolicy policy_;
  std::unique_ptr<Inbox> inbox_;
  std::optional<Enrolment> enrolment_;
  std::unique_ptr<AgentCore> core_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_AGENT_CORE_FIXTURE_H_
