// The agent behind a real NAT: real processes, the kernel's connection tracking, and a router that
// forgets, swallows and goes away. Every scenario ends with a push that arrives. Times are scaled:
// the NAT forgets after seconds instead of minutes, and the server's bounds for heartbeats are set
// accordingly.

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "crypto/device_key.h"
#include "device-agent/client/client.h"
#include "device-agent/heartbeat/network_key.h"
#include "gtest/gtest.h"
#include "tests/nat/nat_world.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"
#include "tests/support/process.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
// What a loaded test machine may add to what is promised.
constexpr absl::Duration kScheduling = absl::Seconds(2);

// Why this machine can't do it; OK once this process is in the server's namespace.
absl::Status& Privileges() {
  static absl::Status* const status = new absl::Status(EnterServerNamespace());
  return *status;
}

class NatTest : public testing::TestWithParam<Ip> {
 protected:
  void SetUp() override {
    if (!Privileges().ok()) {
      std::fprintf(stderr, "SKIPPED: NAT tests need network namespaces and nftables: %s\n",
                   Privileges().ToString().c_str());
      GTEST_SKIP() << Privileges();
    }
    if (GetParam() == Ip::kV6 && access("/proc/sys/net/ipv6", F_OK) != 0) {
      std::fprintf(stderr, "SKIPPED: this kernel has no IPv6\n");
      GTEST_SKIP() << "no IPv6";
    }
  }

  void Start(absl::Duration nat_timeout, std::vector<std::string> agent_arguments) {
    auto world = NatWorld::New(GetParam(), nat_timeout);
    ASSERT_TRUE(world.ok()) << world.status();
    world_ = std::move(*world);
    auto fleet = Fleet::Start(Deployment::kEmbedded,
                              {.device_host = NatWorld::ServerHost(GetParam()),
                               .more_connector_arguments = {"--heartbeat_min_seconds", "1",
                                                            "--heartbeat_max_seconds", "12"}});
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    auto provider = Provider::Create(*fleet_, {kMail});
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::move(*provider);

    phone_ = std::make_unique<Phone>(*fleet_, "phone", std::vector<int>{0});
    phone_->SetLauncher(world_->phone().Launcher());
    // By the time an agent has counted to five minutes this test is over.
    agent_arguments.insert(agent_arguments.end(),
                           {"--server_name", "localhost", "--reconnect_max_seconds", "5"});
    phone_->SetMoreArguments(std::move(agent_arguments));
    ASSERT_TRUE(phone_->Start().ok());
    app_ = std::make_unique<App>(phone_->socket_path(), kMail);
    token_ = app_->WaitForToken();
    ASSERT_NE(token_, "");
    ExpectPush();
  }

  // In one session each.
  int sessions() { return Count("server_connected"); }
  int losses() { return Count("server_connection_lost"); }
  int Count(absl::string_view event) {
    const std::string log = phone_->agent().Log();
    int n = 0;
    for (const absl::string_view line : absl::StrSplit(log, '\n')) {
      if (absl::StrContains(line, event)) ++n;
    }
    return n;
  }
  // Of the last "heartbeat_learned"; zero before it is settled.
  absl::Duration LearnedInterval() {
    const std::string log = phone_->agent().Log();
    absl::Duration learned;
    for (const absl::string_view line : absl::StrSplit(log, '\n')) {
      if (!absl::StrContains(line, "heartbeat_learned")) continue;
      int64_t ms = 0;
      const std::vector<absl::string_view> parts = absl::StrSplit(line, "interval_ms=");
      const bool settled = absl::StrContains(line, "settled=1");
      if (settled && parts.size() == 2 &&
          absl::SimpleAtoi(parts[1].substr(0, parts[1].find(' ')), &ms)) {
        learned = absl::Milliseconds(ms);
      }
    }
    return learned;
  }

  void Send() {
    ++sent_;
    ASSERT_TRUE(provider_.SendReliably(token_, absl::StrCat("message ", sent_)).ok());
  }
  void ExpectPush() {
    Send();
    EXPECT_TRUE(app_->WaitForTaken(sent_)) << phone_->agent().Log();
  }
  // How long a new session takes from now on.
  absl::Duration UntilNextSession(int sessions_before) {
    const MonotonicTime start = RealClock()->Monotonic();
    EXPECT_TRUE(WaitUntil([&] { return sessions() > sessions_before; })) << phone_->agent().Log();
    const absl::Duration took = RealClock()->Monotonic() - start;
    RecordProperty("reconnect_ms", static_cast<int>(absl::ToInt64Milliseconds(took)));
    std::printf("a new session after %s\n", absl::FormatDuration(took).c_str());
    return took;
  }

  std::unique_ptr<NatWorld> world_;
  std::unique_ptr<Fleet> fleet_;
  Provider provider_;
  std::unique_ptr<Phone> phone_;
  std::unique_ptr<App> app_;
  std::string token_;
  size_t sent_ = 0;
};

// Nothing but the network tells these agents anything: their beats come after the test.
const std::vector<std::string> kNoBeats = {"--heartbeat_seconds", "12"};

TEST_P(NatTest, LearnsTheTimeOut) {
  constexpr absl::Duration kNat = absl::Seconds(8);
  ASSERT_NO_FATAL_FAILURE(Start(kNat, {}));
  ASSERT_TRUE(WaitUntil([&] { return LearnedInterval() > absl::ZeroDuration(); }, absl::Minutes(4)))
      << phone_->agent().Log();
  const absl::Duration learned = LearnedInterval();
  std::printf("a NAT of %s: learned %s with %d dead windows\n", absl::FormatDuration(kNat).c_str(),
              absl::FormatDuration(learned).c_str(), losses());
  EXPECT_LT(learned, kNat);
  EXPECT_GE(learned, kNat * 0.8);
  EXPECT_LE(losses(), 2) << phone_->agent().Log();
  // And it holds: a push finds its way after longer than the NAT remembers.
  const int before = losses();
  const MonotonicTime start = RealClock()->Monotonic();
  ASSERT_TRUE(WaitUntil([&] { return RealClock()->Monotonic() - start > kNat * 1.5; }));
  ExpectPush();
  EXPECT_EQ(losses(), before);
}

TEST_P(NatTest, SurvivesTheSilentLossOfItsMapping) {
  ASSERT_NO_FATAL_FAILURE(Start(absl::Hours(1), {"--heartbeat_seconds", "3"}));
  const int before = sessions();
  ASSERT_TRUE(world_->ForgetMappings().ok());
  Send();
  // A beat after three seconds, and ten more for its answer.
  EXPECT_LE(UntilNextSession(before), absl::Seconds(3) + kProbeAckTimeout + kScheduling);
  EXPECT_TRUE(app_->WaitForTaken(sent_));
  ExpectPush();
}

TEST_P(NatTest, SurvivesABlackHole) {
  ASSERT_NO_FATAL_FAILURE(Start(absl::Hours(1), {"--heartbeat_seconds", "3"}));
  const int before = losses();
  ASSERT_TRUE(world_->BecomeBlackHole().ok());
  Send();
  const MonotonicTime start = RealClock()->Monotonic();
  ASSERT_TRUE(WaitUntil([&] { return losses() > before; })) << phone_->agent().Log();
  EXPECT_LE(RealClock()->Monotonic() - start, absl::Seconds(3) + kHeartbeatAckTimeout);
  EXPECT_EQ(app_->taken().size(), sent_ - 1);
  ASSERT_TRUE(world_->Recover().ok());
  EXPECT_TRUE(app_->WaitForTaken(sent_)) << phone_->agent().Log();
  ExpectPush();
}

TEST_P(NatTest, AnotherAddressIsAnotherSessionWithinASecond) {
  ASSERT_NO_FATAL_FAILURE(Start(absl::Hours(1), kNoBeats));
  const int before = sessions();
  ASSERT_TRUE(world_->ChangeAddress().ok());
  EXPECT_LE(UntilNextSession(before), absl::Seconds(1) + kScheduling);
  EXPECT_EQ(Count("the network changed"), 1) << "and not a beat that was not answered";
  ExpectPush();
  EXPECT_EQ(sessions(), before + 1) << "one change, one session";
}

TEST_P(NatTest, ALinkThatComesBackIsASessionWithinASecond) {
  ASSERT_NO_FATAL_FAILURE(Start(absl::Hours(1), kNoBeats));
  for (int round = 0; round < 3; ++round) {
    const int before = sessions();
    ASSERT_TRUE(world_->LinkDown().ok());
    Send();
    ASSERT_TRUE(world_->LinkUp().ok());
    EXPECT_LE(UntilNextSession(before), absl::Seconds(1) + kScheduling);
    EXPECT_EQ(Count("the network changed"), round + 1) << phone_->agent().Log();
    EXPECT_TRUE(app_->WaitForTaken(sent_)) << phone_->agent().Log();
  }
}

TEST_P(NatTest, APhoneWithoutALinkComesBackWithIt) {
  ASSERT_NO_FATAL_FAILURE(Start(absl::Hours(1), kNoBeats));
  const int lost_before = losses();
  ASSERT_TRUE(world_->LinkDown().ok());
  // Long enough for a beat to fail.
  ASSERT_TRUE(WaitUntil([&] { return losses() > lost_before; })) << phone_->agent().Log();
  Send();
  const int before = sessions();
  ASSERT_TRUE(world_->LinkUp().ok());
  EXPECT_LE(UntilNextSession(before), absl::Seconds(1) + kScheduling);
  EXPECT_TRUE(app_->WaitForTaken(sent_)) << phone_->agent().Log();
}

TEST_P(NatTest, SurvivesARestartOfTheServer) {
  ASSERT_NO_FATAL_FAILURE(Start(absl::Hours(1), kNoBeats));
  const int before = sessions();
  fleet_->KillAll();
  ASSERT_TRUE(fleet_->StartAll().ok());
  EXPECT_TRUE(WaitUntil([&] { return sessions() > before; })) << phone_->agent().Log();
  ExpectPush();
}

// What others learned on a carrier's network reaches a phone that is told that it is in it.
TEST_P(NatTest, ACarrierWithANameIsHinted) {
  ASSERT_NO_FATAL_FAILURE(Start(absl::Hours(1), {}));
  const agent::NetworkKey carrier{
      .kind = agent::NetworkKey::Kind::kCellular,
      .name = agent::DigestOfName(agent::NetworkKey::Kind::kCellular, "26201/internet")};
  device::v1::Login said;
  said.mutable_network()->set_network_id(std::string(carrier.SharedId()->bytes()));
  said.mutable_network()->set_interval_ms(11'000);
  for (size_t i = 0; i < kMinHintVotes; ++i) {
    auto other = RawDevice::Login(fleet_->device_address(), fleet_->ca_file(),
                                  **DeviceKey::Generate(), 1, said);
    ASSERT_TRUE(other.ok()) << other.status();
  }
  const auto status = [this] {
    return agent::FetchAgentStatus(phone_->socket_path(), kPatience).value_or(agent::v1::Status());
  };
  EXPECT_EQ(status().network().interface(), "wlan0");
  EXPECT_FALSE(status().network().named());
  EXPECT_EQ(Count("network_not_named"), 1) << phone_->agent().Log();

  // As NetworkManager's dispatcher would.
  auto command =
      Process::Start("name", "cli/bellwire",
                     {"agent", "network", "--kind", "cellular", "--name", "26201/internet",
                      "--interface", "wlan0", "--socket", phone_->socket_path()});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ((*command)->Wait().value_or(-1), 0) << (*command)->Log();
  EXPECT_TRUE(WaitUntil([&] { return status().network().hint_interval_ms() == 11'000; }))
      << phone_->agent().Log();
  EXPECT_EQ(status().heartbeat_interval_ms(), 11'000u);
  EXPECT_EQ(status().network().kind(), "cellular");
  EXPECT_TRUE(status().network().named());
  EXPECT_EQ(sessions(), 1) << "the session lived on";
  // The next one begins with it.
  ASSERT_TRUE(world_->ChangeAddress().ok());
  UntilNextSession(1);
  EXPECT_EQ(Count("server_connected"), 2);
  EXPECT_EQ(Count("heartbeat_ms=11000"), 1) << phone_->agent().Log();
  EXPECT_FALSE(absl::StrContains(phone_->agent().Log(), "26201")) << "names are not logged";
}

INSTANTIATE_TEST_SUITE_P(, NatTest, testing::Values(Ip::kV4, Ip::kV6), [](const auto& test) {
  return std::string(test.param == Ip::kV4 ? "Ipv4" : "Ipv6");
});

}  // namespace
}  // namespace bellwire::tests
