// ServerLink when the network or the phone's sleep interferes (its other tests:
// server_link_test.cc).

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "device-agent/core/server_link.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using device::v1::ConnectorFrame;
using State = ServerLink::State;

constexpr absl::Duration kInterval = absl::Minutes(4);

class FakeOwner final : public ServerLink::Owner {
 public:
  void Dial(const std::string& address) override { Note("dial " + address); }
  void Write(absl::string_view bytes) override { Note(bytes.size() == 1 ? "beat" : "write"); }
  void HangUp() override { Note("hang up"); }
  std::optional<bool> PeerReceivedAll() override { return received; }
  absl::StatusOr<device::v1::Login> MakeLogin(const std::string&) override {
    return device::v1::Login();
  }
  void OnLoginNumberSeen(uint64_t) override {}
  absl::Status OnWelcome(const device::v1::Welcome&) override { return absl::OkStatus(); }
  absl::Status OnFrame(ConnectorFrame) override { return absl::OkStatus(); }
  void OnBeat() override {}
  void OnBeatAnswered() override {}
  void OnSessionEnd() override { Note("session end"); }

  std::string Events() { return absl::StrJoin(std::exchange(events_, {}), ", "); }

  std::optional<bool> received;

 private:
  void Note(std::string event) { events_.push_back(std::move(event)); }
  std::vector<std::string> events_;
};

class NotingPolicy final : public HeartbeatPolicy {
 public:
  absl::Duration interval() const override { return interval_now; }
  void SetBounds(const HeartbeatBounds&) override {}
  void OnAlive(absl::Duration silence) override {
    absl::StrAppend(&events, "alive ", absl::FormatDuration(silence), " ");
  }
  void OnDead(absl::Duration silence) override {
    absl::StrAppend(&events, "dead ", absl::FormatDuration(silence), " ");
  }

  absl::Duration interval_now = kInterval;
  std::string events;
};

class ServerLinkNetworkTest : public testing::Test {
 protected:
  static std::string Bytes(const ConnectorFrame& frame) {
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    return bytes;
  }
  void Login() {
    link_.OnOpen("exporter");
    ConnectorFrame welcome;
    welcome.mutable_welcome()->set_mailbox_id(std::string(16, 'm'));
    link_.OnData(Bytes(welcome));
    ASSERT_EQ(link_.state(), State::kReady);
    owner_.Events();
  }
  void Connect() {
    link_.Start();
    Login();
  }
  void SendAway(absl::Duration wait, const std::string& address = "") {
    ConnectorFrame frame;
    frame.mutable_go_away()->set_reason(device::v1::GoAway::DRAINING);
    frame.mutable_go_away()->set_retry_after_ms(
        static_cast<uint32_t>(absl::ToInt64Milliseconds(wait)));
    frame.mutable_go_away()->set_address(address);
    link_.OnData(Bytes(frame));
  }
  void ReceiveBeat() { link_.OnData(absl::string_view("\0", 1)); }
  absl::Duration UntilDeadline() { return *link_.deadline() - clock_.Boottime(); }
  void Wait(absl::Duration d) {
    clock_.Advance(d);
    link_.OnDeadline();
  }
  void WaitForDeadline() { Wait(std::max(absl::ZeroDuration(), UntilDeadline())); }

  SimulatedClock clock_;
  FakeOwner owner_;
  NotingPolicy policy_;
  std::mt19937_64 random_{5};
  ServerLink link_{{"a:1", "b:2"}, &clock_, &policy_, random_, &owner_};
};

// --- The network changes. ---

TEST_F(ServerLinkNetworkTest, ASessionOnALostNetworkIsOpenedAnewAtOnce) {
  Connect();
  link_.OnNetworkChanged(/*must_reconnect=*/false);
  EXPECT_EQ(owner_.Events(), "");
  link_.OnNetworkChanged(/*must_reconnect=*/true);
  EXPECT_EQ(owner_.Events(), "hang up, session end, dial a:1");
  EXPECT_EQ(link_.state(), State::kConnecting);
  EXPECT_EQ(policy_.events, "") << "whether it had died nobody knows";
  Login();
}

TEST_F(ServerLinkNetworkTest, ABeatUnderWayOnALostNetworkTeachesNothing) {
  Connect();
  WaitForDeadline();
  link_.OnNetworkChanged(/*must_reconnect=*/true);
  EXPECT_EQ(policy_.events, "");
}

TEST_F(ServerLinkNetworkTest, WhoWaitsNeedNotWaitAndTheBackOffBeginsAnew) {
  link_.Start();
  for (int i = 0; i < 12; ++i) {
    link_.OnClosed(absl::UnavailableError("no route"));
    WaitForDeadline();
  }
  link_.OnClosed(absl::UnavailableError("no route"));
  ASSERT_EQ(link_.state(), State::kWaiting);
  owner_.Events();
  link_.OnNetworkChanged(/*must_reconnect=*/false);
  EXPECT_EQ(link_.state(), State::kConnecting);
  link_.OnClosed(absl::UnavailableError("refused"));
  EXPECT_LE(UntilDeadline(), kReconnectBase);
}

TEST_F(ServerLinkNetworkTest, AConnectionThatWasBeingOpenedIsOpenedAnewToTheSameServer) {
  link_.Start();
  EXPECT_EQ(owner_.Events(), "dial a:1");
  link_.OnNetworkChanged(/*must_reconnect=*/false);
  EXPECT_EQ(owner_.Events(), "hang up, dial a:1");
}

TEST_F(ServerLinkNetworkTest, GoAwayIsObeyedOnEveryNetwork) {
  Connect();
  SendAway(absl::Minutes(3), "c:3");
  EXPECT_EQ(UntilDeadline(), absl::Minutes(3));
  owner_.Events();
  link_.OnNetworkChanged(/*must_reconnect=*/true);
  EXPECT_EQ(link_.state(), State::kWaiting);
  EXPECT_EQ(UntilDeadline(), absl::Minutes(3));
  WaitForDeadline();
  link_.OnNetworkChanged(/*must_reconnect=*/false);
  EXPECT_EQ(owner_.Events(), "dial c:3, hang up, dial c:3") << "where to is kept";
}

TEST_F(ServerLinkNetworkTest, AStoppedLinkStaysStopped) {
  link_.OnNetworkChanged(true);
  link_.OnResumed();
  EXPECT_EQ(owner_.Events(), "");
  EXPECT_EQ(link_.deadline(), std::nullopt);
}

// --- Never a storm. ---

TEST_F(ServerLinkNetworkTest, ANetworkThatComesAndGoesAllTheTimeIsNoStorm) {
  Connect();
  int dials = 0;
  constexpr int kHours = 5;
  for (int second = 0; second < kHours * 3600; ++second) {
    clock_.Advance(absl::Seconds(1));
    link_.OnNetworkChanged(/*must_reconnect=*/true);
    link_.OnDeadline();
    if (absl::StrContains(owner_.Events(), "dial")) ++dials;
    if (link_.state() == State::kConnecting) Login();
  }
  // The burst once, what is refilled, and a burst for each reset.
  const int resets = static_cast<int>(absl::Hours(kHours) / kReconnectBudgetReset) + 1;
  const int refills =
      static_cast<int>(absl::Hours(kHours) / (kReconnectMax * kReconnectRefillPart)) + 1;
  EXPECT_LE(dials, kReconnectBurst * (resets + 1) + refills);
  EXPECT_GE(dials, kReconnectBurst);
}

TEST_F(ServerLinkNetworkTest, AServerThatDropsEverySessionIsAskedThirtyTimesAnHour) {
  Connect();
  int dials = 0;
  const MonotonicTime start = clock_.Boottime();
  while (clock_.Boottime() - start < absl::Hours(10)) {
    // Long enough for the back-off to begin anew each time.
    clock_.Advance(kStableSession);
    link_.OnClosed(absl::UnavailableError("reset"));
    while (link_.state() == State::kWaiting) WaitForDeadline();
    ++dials;
    Login();
  }
  EXPECT_LE(dials, kReconnectBurst + 10 * 30);
}

TEST_F(ServerLinkNetworkTest, TheBudgetDoesNotHoldUpAnOrdinaryBackOff) {
  link_.Start();
  int late = 0;
  for (int i = 0; i < 500; ++i) {
    link_.OnClosed(absl::UnavailableError("refused"));
    WaitForDeadline();
    // Still waiting: for the budget.
    if (link_.state() == State::kWaiting) ++late;
    while (link_.state() == State::kWaiting) WaitForDeadline();
  }
  EXPECT_LE(late, 25) << "5 %";
}

// --- Dead, or slow? ---

TEST_F(ServerLinkNetworkTest, AfterASuspendTheBeatGoesOutAtOnceAndWaitsAShortTime) {
  Connect();
  clock_.Suspend(absl::Minutes(1));
  link_.OnResumed();
  EXPECT_EQ(owner_.Events(), "beat");
  EXPECT_EQ(UntilDeadline(), kProbeAckTimeout);
  owner_.received = false;
  WaitForDeadline();
  EXPECT_EQ(link_.state(), State::kWaiting);
  EXPECT_EQ(policy_.events, "dead 1m ");
}

TEST_F(ServerLinkNetworkTest, ABeatThatWasUnderWayIsDoubtedAfterASuspend) {
  Connect();
  WaitForDeadline();
  clock_.Suspend(kProbeAckTimeout);
  link_.OnResumed();
  EXPECT_EQ(owner_.Events(), "beat");
  EXPECT_EQ(UntilDeadline(), absl::ZeroDuration());
}

TEST_F(ServerLinkNetworkTest, SleepCountsAsSilence) {
  Connect();
  clock_.Suspend(kInterval);
  EXPECT_EQ(UntilDeadline(), absl::ZeroDuration());
  link_.OnDeadline();
  EXPECT_EQ(owner_.Events(), "beat");
  ReceiveBeat();
  EXPECT_EQ(policy_.events, "alive 4m ");
}

TEST_F(ServerLinkNetworkTest, WhoReceivesAndDoesNotAnswerIsSlowAndNotDead) {
  Connect();
  clock_.Suspend(absl::Minutes(1));
  link_.OnResumed();
  owner_.received = true;
  WaitForDeadline();
  EXPECT_EQ(link_.state(), State::kReady);
  EXPECT_EQ(UntilDeadline(), kHeartbeatAckTimeout - kProbeAckTimeout);
  WaitForDeadline();
  EXPECT_EQ(link_.state(), State::kWaiting) << "but not for ever";
  EXPECT_EQ(policy_.events, "alive 1m ") << "the path survived";
}

TEST_F(ServerLinkNetworkTest, WhereTheKernelCannotTellTheBeatHasItsFullTime) {
  Connect();
  clock_.Suspend(absl::Minutes(1));
  link_.OnResumed();
  WaitForDeadline();
  EXPECT_EQ(link_.state(), State::kReady);
  WaitForDeadline();
  EXPECT_EQ(link_.state(), State::kWaiting);
  EXPECT_EQ(policy_.events, "dead 1m ");
}

TEST_F(ServerLinkNetworkTest, AShortIntervalDoesNotWaitLongerThanItself) {
  policy_.interval_now = absl::Seconds(25);
  Connect();
  owner_.received = false;
  WaitForDeadline();
  EXPECT_EQ(UntilDeadline(), absl::Seconds(25));
  WaitForDeadline();
  EXPECT_EQ(policy_.events, "dead 25s ");
  EXPECT_EQ(link_.state(), State::kWaiting);
}

TEST_F(ServerLinkNetworkTest, ADeadPathIsFoundWithinTheIntervalAndAMinute) {
  Connect();
  const MonotonicTime start = clock_.Boottime();
  owner_.received = false;
  while (link_.state() == State::kReady) WaitForDeadline();
  EXPECT_LE(clock_.Boottime() - start, kInterval + absl::Minutes(1));
}

}  // namespace
}  // namespace bellwire::agent
