#include "device-agent/core/server_link.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using device::v1::AgentFrame;
using device::v1::ConnectorFrame;
using device::v1::GoAway;
using State = ServerLink::State;

constexpr absl::Duration kInterval = absl::Minutes(4);

// Carries out nothing and notes everything.
class FakeOwner final : public ServerLink::Owner {
 public:
  void Dial(const std::string& address) override { Note("dial " + address); }
  void Write(absl::string_view bytes) override {
    if (bytes == absl::string_view("\0", 1)) return Note("beat");
    EXPECT_TRUE(decoder_
                    .Feed(bytes,
                          [this](absl::string_view body) {
                            AgentFrame frame;
                            EXPECT_TRUE(frame.ParseFromString(std::string(body)));
                            frames.push_back(frame);
                            return true;
                          })
                    .ok());
    Note("write");
  }
  void HangUp() override { Note("hang up"); }
  absl::StatusOr<device::v1::Login> MakeLogin(const std::string& tls_exporter) override {
    Note("login " + tls_exporter);
    if (!login_status.ok()) return login_status;
    device::v1::Login login;
    login.set_login_number(++login_number);
    return login;
  }
  void OnLoginNumberSeen(uint64_t number) override {
    login_number = std::max(login_number, number);
  }
  absl::Status OnWelcome(const device::v1::Welcome&) override {
    Note("welcome");
    return welcome_status;
  }
  absl::Status OnFrame(ConnectorFrame frame) override {
    Note(absl::StrCat("frame ", static_cast<int>(frame.body_case())));
    return frame_status;
  }
  void OnBeat() override {}
  void OnBeatAnswered() override { Note("beat answered"); }
  void OnSessionEnd() override { Note("session end"); }

  // What happened since the last call.
  std::string Events() { return absl::StrJoin(std::exchange(events_, {}), ", "); }

  std::vector<AgentFrame> frames;
  uint64_t login_number = 0;
  absl::Status login_status;
  absl::Status welcome_status;
  absl::Status frame_status;

 private:
  void Note(std::string event) { events_.push_back(std::move(event)); }
  std::vector<std::string> events_;
  net::FrameDecoder decoder_{kMaxFrameBytes};
};

std::string Bytes(const ConnectorFrame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  return bytes;
}

ConnectorFrame Welcome() {
  ConnectorFrame frame;
  frame.mutable_welcome()->set_mailbox_id(std::string(16, 'm'));
  return frame;
}

ConnectorFrame Push() {
  ConnectorFrame frame;
  frame.mutable_push()->set_seq(1);
  return frame;
}

ConnectorFrame MakeGoAway(GoAway::Reason reason,
                          absl::Duration retry_after = absl::ZeroDuration()) {
  ConnectorFrame frame;
  frame.mutable_go_away()->set_reason(reason);
  frame.mutable_go_away()->set_retry_after_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(retry_after)));
  return frame;
}

class ServerLinkTest : public testing::Test {
 protected:
  void Receive(const ConnectorFrame& frame) { link_.OnData(Bytes(frame)); }
  void ReceiveBeat() { link_.OnData(absl::string_view("\0", 1)); }

  void Connect() {
    if (link_.state() == State::kStopped) link_.Start();
    link_.OnOpen("exporter");
    Receive(Welcome());
    ASSERT_EQ(link_.state(), State::kReady);
    owner_.Events();
  }

  // Until the link asks to be woken.
  absl::Duration UntilDeadline() { return *link_.deadline() - clock_.Monotonic(); }
  void Wait(absl::Duration d) {
    clock_.Advance(d);
    link_.OnDeadline();
  }
  void WaitForDeadline() { Wait(UntilDeadline()); }

  SimulatedClock clock_;
  FakeOwner owner_;
  FixedHeartbeat policy_{kInterval};
  std::mt19937_64 random_{5};
  ServerLink link_{{"a:1", "b:2"}, &clock_, &policy_, random_, &owner_};
};

TEST_F(ServerLinkTest, LogsInAndIsReady) {
  EXPECT_EQ(link_.deadline(), std::nullopt);
  link_.Start();
  EXPECT_EQ(owner_.Events(), "dial a:1");
  EXPECT_EQ(link_.state(), State::kConnecting);
  link_.OnOpen("exporter");
  EXPECT_EQ(owner_.Events(), "login exporter, write");
  EXPECT_EQ(link_.state(), State::kLoggingIn);
  ASSERT_EQ(owner_.frames.size(), 1u);
  EXPECT_EQ(owner_.frames[0].login().login_number(), 1u);
  EXPECT_EQ(owner_.frames[0].login().heartbeat_interval_ms(), 240'000u);
  Receive(Welcome());
  EXPECT_EQ(owner_.Events(), "welcome");
  EXPECT_EQ(link_.state(), State::kReady);
  Receive(Push());
  EXPECT_EQ(owner_.Events(), "frame 2");
}

TEST_F(ServerLinkTest, WhoIsTurnedAwayDoesNotHammer) {
  for (const GoAway::Reason reason : {GoAway::NOT_ENROLLED, GoAway::REVOKED}) {
    if (link_.state() == State::kStopped) link_.Start();
    link_.OnOpen("");
    ConnectorFrame away = MakeGoAway(reason);
    away.mutable_go_away()->set_detail("the server says why");
    Receive(away);
    EXPECT_EQ(link_.state(), State::kWaiting);
    EXPECT_EQ(UntilDeadline(), ServerLink::kTurnedAwayWait);
    EXPECT_NE(link_.last_error().find("the server says why; ask whoever runs the server"),
              std::string::npos)
        << link_.last_error();
    // A change of the network changes nothing about it.
    link_.OnNetworkChanged(/*must_reconnect=*/true);
    EXPECT_EQ(link_.state(), State::kWaiting);
    WaitForDeadline();
    EXPECT_EQ(link_.state(), State::kConnecting);
  }
}

// What only an agent says, and fields that no frame has: nothing but a Welcome begins a session,
// and none of them harms one.
TEST_F(ServerLinkTest, FramesOfTheOtherDirectionAreNobodys) {
  constexpr int kFields = 32;
  // Bytes that no frame knows: field 31, a text of one byte.
  const std::string body("\xfa\x01\x01x", 4);
  for (int field = 1; field <= kFields; ++field) {
    std::string bytes;
    uint32_t tag = static_cast<uint32_t>(field) << 3 | 2;
    for (; tag >= 0x80; tag >>= 7) bytes.push_back(static_cast<char>((tag & 0x7f) | 0x80));
    bytes.push_back(static_cast<char>(tag));
    bytes.push_back(static_cast<char>(body.size()));
    bytes += body;
    std::string frame(1, static_cast<char>(bytes.size()));
    frame += bytes;
    for (const bool welcome : {false, true}) {
      FakeOwner owner;
      ServerLink link({"a:1"}, &clock_, &policy_, random_, &owner);
      link.Start();
      link.OnOpen("exporter");
      if (welcome) link.OnData(Bytes(Welcome()));
      link.OnData(frame);
      if (!welcome && field != 1) {
        EXPECT_NE(link.state(), State::kReady) << field;
      }
      EXPECT_NE(link.state(), State::kStopped) << field;
    }
  }
}

TEST_F(ServerLinkTest, ARevokedPhoneLosesItsSessionToo) {
  Connect();
  Receive(MakeGoAway(GoAway::REVOKED));
  EXPECT_EQ(owner_.Events(), "hang up, session end");
  EXPECT_EQ(UntilDeadline(), ServerLink::kTurnedAwayWait);
}

TEST_F(ServerLinkTest, ATokenIsTriedAtOnce) {
  link_.Start();
  link_.OnOpen("");
  Receive(MakeGoAway(GoAway::NOT_ENROLLED));
  owner_.Events();
  link_.OnEnrolled();
  EXPECT_EQ(link_.state(), State::kConnecting);
  link_.OnEnrolled();
  EXPECT_EQ(link_.state(), State::kConnecting) << "once is enough";
  link_.OnOpen("");
  Receive(Welcome());
  owner_.Events();
  link_.OnEnrolled();
  EXPECT_EQ(link_.state(), State::kReady) << "a session stays";
  EXPECT_EQ(owner_.Events(), "");
}

TEST_F(ServerLinkTest, WhereNoNewDevicesAreTakenItComesBackAsTold) {
  link_.Start();
  link_.OnOpen("");
  Receive(MakeGoAway(GoAway::NO_NEW_DEVICES, absl::Minutes(7)));
  EXPECT_EQ(UntilDeadline(), absl::Minutes(7));
}

TEST_F(ServerLinkTest, FramesThatComeWithTheWelcomeAreTaken) {
  link_.Start();
  link_.OnOpen("");
  owner_.Events();
  link_.OnData(Bytes(Welcome()) + Bytes(Push()) + Bytes(Push()));
  EXPECT_EQ(owner_.Events(), "welcome, frame 2, frame 2");
}

TEST_F(ServerLinkTest, ConnectingTakesSoLongAndNoLonger) {
  link_.Start();
  EXPECT_EQ(UntilDeadline(), kConnectTimeout);
  Wait(kConnectTimeout / 2);
  link_.OnOpen("");
  owner_.Events();
  EXPECT_EQ(UntilDeadline(), kConnectTimeout / 2) << "the login is part of it";
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "hang up");
  EXPECT_EQ(link_.state(), State::kWaiting);
  EXPECT_EQ(link_.last_error(), "the login was not answered");
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "dial b:2");
}

TEST_F(ServerLinkTest, ALoginThatCannotBeMadeIsNotSent) {
  owner_.login_status = absl::ResourceExhaustedError("disk full");
  link_.Start();
  link_.OnOpen("e");
  EXPECT_EQ(owner_.Events(), "dial a:1, login e, hang up");
  EXPECT_EQ(link_.state(), State::kWaiting);
  EXPECT_EQ(link_.last_error(), "disk full");
}

TEST_F(ServerLinkTest, BacksOffWithFullJitter) {
  link_.Start();
  absl::Duration ceiling = kReconnectBase;
  absl::Duration longest;
  for (int i = 0; i < 30; ++i) {
    link_.OnClosed(absl::UnavailableError("refused"));
    ASSERT_EQ(link_.state(), State::kWaiting);
    EXPECT_LE(UntilDeadline(), ceiling);
    longest = std::max(longest, UntilDeadline());
    ceiling = std::min(kReconnectMax, ceiling * 2);
    WaitForDeadline();
    ASSERT_EQ(link_.state(), State::kConnecting);
  }
  EXPECT_GT(longest, kReconnectMax / 2);
}

TEST_F(ServerLinkTest, TheLongestWaitCanBeChosen) {
  ServerLink eager({"a:1"}, &clock_, &policy_, random_, &owner_,
                   /*reconnect_max=*/absl::Seconds(2));
  eager.Start();
  for (int failure = 0; failure < 20; ++failure) {
    eager.OnClosed(absl::UnavailableError("nobody there"));
    EXPECT_LE(*eager.deadline() - clock_.Monotonic(), absl::Seconds(2));
    clock_.Advance(absl::Seconds(2));
    eager.OnDeadline();
    EXPECT_EQ(eager.state(), State::kConnecting);
  }
}

TEST_F(ServerLinkTest, AStableSessionResetsTheBackOffAShortOneDoesNot) {
  link_.Start();
  for (int i = 0; i < 12; ++i) {
    link_.OnClosed(absl::OkStatus());
    WaitForDeadline();
  }
  absl::Duration longest;
  for (int i = 0; i < 12; ++i) {
    Connect();
    Wait(kStableSession - absl::Seconds(1));
    link_.OnClosed(absl::OkStatus());
    longest = std::max(longest, UntilDeadline());
    WaitForDeadline();
  }
  EXPECT_GT(longest, absl::Minutes(1));
  for (int i = 0; i < 12; ++i) {
    Connect();
    Wait(kStableSession);
    link_.OnClosed(absl::OkStatus());
    EXPECT_LE(UntilDeadline(), kReconnectBase);
    WaitForDeadline();
  }
}

TEST_F(ServerLinkTest, AddressesAreTriedInTurnButAGoodOneIsKept) {
  link_.Start();
  link_.OnClosed(absl::UnavailableError(""));
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "dial a:1, dial b:2");
  Connect();
  link_.OnClosed(absl::OkStatus());
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "session end, dial b:2");
}

// --- Heartbeats. ---

TEST_F(ServerLinkTest, BeatsAfterSilence) {
  Connect();
  EXPECT_EQ(UntilDeadline(), kInterval);
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "beat");
  EXPECT_EQ(UntilDeadline(), kHeartbeatAckTimeout);
  clock_.Advance(absl::Seconds(1));
  ReceiveBeat();
  EXPECT_EQ(owner_.Events(), "beat answered");
  // Sent a second before it was answered: the promise counts from then.
  EXPECT_EQ(UntilDeadline(), kInterval - absl::Seconds(1));
  EXPECT_EQ(link_.counters().heartbeats_sent, 1u);
}

TEST_F(ServerLinkTest, AnExchangeRestartsTheTimer) {
  Connect();
  Wait(kInterval - absl::Seconds(1));
  Receive(Push());
  EXPECT_EQ(UntilDeadline(), absl::Seconds(1)) << "hearing alone keeps no promise to be heard";
  AgentFrame ack;
  ack.mutable_ack()->add_ranges()->set_first(1);
  link_.Send(ack);
  EXPECT_EQ(UntilDeadline(), kInterval);
}

TEST_F(ServerLinkTest, SendingAloneIsNoSignOfLife) {
  Connect();
  Wait(kInterval / 2);
  AgentFrame frame;
  frame.mutable_app_ack();
  link_.Send(frame);
  EXPECT_EQ(UntilDeadline(), kInterval / 2);
}

TEST_F(ServerLinkTest, ADeadPathIsLeft) {
  Connect();
  WaitForDeadline();
  owner_.Events();
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "hang up, session end");
  EXPECT_EQ(link_.state(), State::kWaiting);
  EXPECT_EQ(link_.last_error(), "a heartbeat was not answered");
}

TEST_F(ServerLinkTest, AnythingThatComesIsASignOfLife) {
  Connect();
  WaitForDeadline();
  clock_.Advance(kHeartbeatAckTimeout - absl::Seconds(1));
  Receive(Push());
  Wait(absl::Seconds(2));
  EXPECT_EQ(link_.state(), State::kReady);
  EXPECT_EQ(UntilDeadline(), kHeartbeatAckTimeout - absl::Seconds(2));
}

TEST_F(ServerLinkTest, ABeatOnDemandWaitsForTheOneUnderWay) {
  Connect();
  link_.Beat();
  link_.Beat();
  link_.Beat();
  EXPECT_EQ(owner_.Events(), "beat");
  ReceiveBeat();
  EXPECT_EQ(owner_.Events(), "beat answered, beat");
  ReceiveBeat();
  ReceiveBeat();  // Nobody asked for it.
  EXPECT_EQ(owner_.Events(), "beat answered");
}

// Notes what it is told.
class NotingPolicy final : public HeartbeatPolicy {
 public:
  absl::Duration interval() const override { return wanted; }
  absl::Duration promise() const override { return absl::Minutes(20); }
  absl::Duration earliest() const override { return wanted / 2; }
  void SetBounds(const HeartbeatBounds& bounds) override { hint = bounds.hint; }
  void OnReady() override { Note("ready"); }
  void OnNetworkNamed() override { Note("named"); }
  void OnAlive(absl::Duration silence) override { Note("alive", silence); }
  void OnDead(absl::Duration silence) override { Note("dead", silence); }

  std::optional<NetworkReport> OnLogin() override { return network; }
  std::optional<NetworkReport> TakeReport() override { return std::exchange(news, std::nullopt); }

  std::string Events() { return absl::StrJoin(std::exchange(events_, {}), ", "); }

  std::optional<NetworkReport> network;
  std::optional<NetworkReport> news;
  absl::Duration wanted = absl::Minutes(4);
  absl::Duration hint;

 private:
  void Note(std::string event, absl::Duration silence = absl::ZeroDuration()) {
    if (silence > absl::ZeroDuration()) {
      absl::StrAppend(&event, " ", absl::FormatDuration(silence));
    }
    events_.push_back(std::move(event));
  }
  std::vector<std::string> events_;
};

class PolicyTest : public ServerLinkTest {
 protected:
  PolicyTest() {
    link_.Start();
    ConnectAgain();
  }

  void ConnectAgain() {
    link_.OnOpen("exporter");
    ConnectorFrame welcome = Welcome();
    welcome.mutable_welcome()->mutable_heartbeat_bounds()->set_min_interval_ms(1000);
    welcome.mutable_welcome()->mutable_heartbeat_bounds()->set_max_interval_ms(3'600'000);
    welcome.mutable_welcome()->mutable_heartbeat_bounds()->set_hint_interval_ms(570'000);
    Receive(welcome);
    ASSERT_EQ(link_.state(), State::kReady);
  }
  void Receive(const ConnectorFrame& frame) { link_.OnData(Bytes(frame)); }
  void ReceiveBeat() { link_.OnData(absl::string_view("\0", 1)); }
  absl::Duration UntilDeadline() { return *link_.deadline() - clock_.Monotonic(); }
  void Wait(absl::Duration d) {
    clock_.Advance(d);
    link_.OnDeadline();
  }
  void WaitForDeadline() { Wait(UntilDeadline()); }

  NotingPolicy noting_;
  ServerLink link_{{"a:1", "b:2"}, &clock_, &noting_, random_, &owner_};
};

TEST_F(PolicyTest, TheServerIsToldOfTheNetworkWithTheLoginAndWhenSomethingWasLearned) {
  EXPECT_FALSE(owner_.frames.back().login().has_network());
  const NetworkId id = *NetworkId::FromBytes(std::string(NetworkId::kSize, 'n'));
  noting_.network = NetworkReport{id, absl::ZeroDuration()};
  link_.OnClosed(absl::UnavailableError("reset"));
  WaitForDeadline();
  ConnectAgain();
  EXPECT_EQ(owner_.frames.back().login().network().network_id(), id.bytes());
  EXPECT_EQ(owner_.frames.back().login().network().interval_ms(), 0u);

  const size_t sent = owner_.frames.size();
  WaitForDeadline();
  ReceiveBeat();
  EXPECT_EQ(owner_.frames.size(), sent) << "nothing new";
  noting_.news = NetworkReport{id, absl::Seconds(279)};
  WaitForDeadline();
  ReceiveBeat();
  ASSERT_EQ(owner_.frames.size(), sent + 1);
  EXPECT_EQ(owner_.frames.back().network_report().network_id(), id.bytes());
  EXPECT_EQ(owner_.frames.back().network_report().interval_ms(), 279'000u);
}

TEST_F(PolicyTest, ANameInASessionChangesTheIntervalAndTheServerIsAsked) {
  const NetworkId id = *NetworkId::FromBytes(std::string(NetworkId::kSize, 'n'));
  (void)noting_.Events();
  noting_.wanted = absl::Minutes(7);
  noting_.news = NetworkReport{id, absl::ZeroDuration()};
  link_.OnNetworkNamed();
  EXPECT_EQ(noting_.Events(), "named");
  EXPECT_EQ(UntilDeadline(), absl::Minutes(7));
  ASSERT_TRUE(owner_.frames.back().has_network_report());
  EXPECT_EQ(owner_.frames.back().network_report().network_id(), id.bytes());
  // The answer.
  noting_.wanted = absl::Minutes(9);
  ConnectorFrame hint;
  hint.mutable_heartbeat_bounds()->set_min_interval_ms(1000);
  hint.mutable_heartbeat_bounds()->set_max_interval_ms(3'600'000);
  hint.mutable_heartbeat_bounds()->set_hint_interval_ms(540'000);
  Receive(hint);
  EXPECT_EQ(noting_.hint, absl::Minutes(9));
  EXPECT_EQ(UntilDeadline(), absl::Minutes(9));
}

TEST_F(PolicyTest, ANameThatComesDuringALoginIsAskedForWithTheWelcome) {
  link_.OnClosed(absl::UnavailableError("reset"));
  (void)noting_.Events();
  link_.OnNetworkNamed();
  EXPECT_EQ(noting_.Events(), "") << "no session";
  WaitForDeadline();
  noting_.news = NetworkReport{*NetworkId::FromBytes(std::string(NetworkId::kSize, 'n')),
                               absl::ZeroDuration()};
  ConnectAgain();
  EXPECT_TRUE(owner_.frames.back().has_network_report());
}

TEST_F(PolicyTest, TheLoginPromisesWhatThePolicyMayComeTo) {
  EXPECT_EQ(owner_.frames.back().login().heartbeat_interval_ms(), 1'200'000u);
  EXPECT_EQ(UntilDeadline(), absl::Minutes(4));
  EXPECT_EQ(noting_.hint, absl::Seconds(570));
  noting_.wanted = absl::Minutes(15);
  WaitForDeadline();
  ReceiveBeat();
  EXPECT_EQ(UntilDeadline(), absl::Minutes(15)) << "within the same session";
  noting_.wanted = absl::Minutes(40);
  WaitForDeadline();
  ReceiveBeat();
  EXPECT_EQ(UntilDeadline(), absl::Minutes(20)) << "no longer than promised";
}

TEST_F(PolicyTest, HearsOfBeatsAndOfDeadPaths) {
  WaitForDeadline();
  clock_.Advance(kHeartbeatAckTimeout - absl::Seconds(1));
  ReceiveBeat();
  EXPECT_EQ(noting_.Events(), "ready, alive 4m") << "slow, but an answer";
  WaitForDeadline();
  WaitForDeadline();
  // The silence counts from the beat before, which was answered late.
  EXPECT_EQ(noting_.Events(), "dead 4m");
  WaitForDeadline();
  ConnectAgain();
  EXPECT_EQ(noting_.Events(), "ready");
}

TEST_F(PolicyTest, ABeatAnsweredByAResetIsADeadPath) {
  noting_.Events();
  WaitForDeadline();
  link_.OnClosed(absl::UnavailableError("connection reset"));
  EXPECT_EQ(noting_.Events(), "dead 4m");
  WaitForDeadline();
  ConnectAgain();
  noting_.Events();
  link_.OnClosed(absl::UnavailableError("connection reset"));
  EXPECT_EQ(noting_.Events(), "") << "no beat was under way: the server went";
  WaitForDeadline();
  ConnectAgain();
  noting_.Events();
  WaitForDeadline();
  link_.OnClosed(absl::OkStatus());
  EXPECT_EQ(noting_.Events(), "") << "an orderly end";
}

TEST_F(PolicyTest, ABeatThatIsDueSoonGoesOutWhileThePhoneIsAwake) {
  owner_.Events();
  clock_.Advance(absl::Minutes(2) - absl::Seconds(1));
  link_.OnAwake();
  EXPECT_EQ(owner_.Events(), "") << "too early";
  clock_.Advance(absl::Seconds(1));
  link_.OnAwake();
  link_.OnAwake();
  EXPECT_EQ(owner_.Events(), "beat");
  ReceiveBeat();
  EXPECT_EQ(noting_.Events(), "ready, alive 2m");
  EXPECT_EQ(UntilDeadline(), absl::Minutes(4));
  link_.Stop();
  link_.OnAwake();
}

TEST_F(ServerLinkTest, KeepsToTheServersBounds) {
  link_.Start();
  link_.OnOpen("");
  ConnectorFrame welcome = Welcome();
  welcome.mutable_welcome()->mutable_heartbeat_bounds()->set_min_interval_ms(1000);
  welcome.mutable_welcome()->mutable_heartbeat_bounds()->set_max_interval_ms(60'000);
  Receive(welcome);
  EXPECT_EQ(UntilDeadline(), absl::Minutes(1));

  ConnectorFrame bounds;
  bounds.mutable_heartbeat_bounds()->set_min_interval_ms(600'000);
  bounds.mutable_heartbeat_bounds()->set_max_interval_ms(900'000);
  Receive(bounds);
  EXPECT_EQ(UntilDeadline(), kInterval) << "Login promised no longer silence than this";
  bounds.mutable_heartbeat_bounds()->set_min_interval_ms(0);
  Receive(bounds);
  EXPECT_EQ(link_.state(), State::kReady) << "nonsense is ignored";

  link_.OnClosed(absl::OkStatus());
  WaitForDeadline();
  link_.OnOpen("");
  EXPECT_EQ(owner_.frames.back().login().heartbeat_interval_ms(), 600'000u);
}

// --- GoAway. ---

TEST_F(ServerLinkTest, ComesBackWhenGoAwaySays) {
  Connect();
  Receive(MakeGoAway(GoAway::DRAINING, absl::Seconds(7)));
  EXPECT_EQ(owner_.Events(), "hang up, session end");
  EXPECT_EQ(UntilDeadline(), absl::Seconds(7));
  EXPECT_EQ(link_.last_error(), "GoAway(DRAINING)");
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "dial a:1");
}

TEST_F(ServerLinkTest, AGoAwayCannotSilenceAPhoneForEver) {
  Connect();
  Receive(MakeGoAway(GoAway::OVERLOADED, absl::Hours(24 * 30)));
  EXPECT_EQ(UntilDeadline(), kMaxGoAwayWait);
}

TEST_F(ServerLinkTest, GoesWhereGoAwaySaysAndBackIfThatFails) {
  Connect();
  ConnectorFrame go_away = MakeGoAway(GoAway::DRAINING, absl::Seconds(1));
  go_away.mutable_go_away()->set_address("c:3");
  Receive(go_away);
  owner_.Events();
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "dial c:3");
  Connect();
  link_.OnClosed(absl::OkStatus());
  owner_.Events();
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "dial c:3");
  link_.OnClosed(absl::UnavailableError("refused"));
  WaitForDeadline();
  EXPECT_EQ(owner_.Events(), "dial a:1");
}

TEST_F(ServerLinkTest, ReplacedInASessionStaysAwayForLong) {
  Connect();
  ConnectorFrame go_away = MakeGoAway(GoAway::REPLACED);
  go_away.mutable_go_away()->set_winning_login_number(40);
  Receive(go_away);
  EXPECT_EQ(UntilDeadline(), kReplacedWait);
  EXPECT_EQ(owner_.login_number, 40u);
}

// The loser of two phones with one key was deaf for 15 minutes after the other had gone.
TEST_F(ServerLinkTest, ReplacedInASessionAsksWhetherTheMailboxIsFree) {
  Connect();
  ConnectorFrame go_away = MakeGoAway(GoAway::REPLACED, absl::Seconds(40));
  Receive(go_away);
  EXPECT_NE(link_.last_error().find("another phone logged in with this phone's key"),
            std::string::npos);
  absl::Duration waited;
  while (waited < kReplacedWait) {
    ASSERT_EQ(UntilDeadline(), absl::Seconds(40));
    waited += absl::Seconds(40);
    WaitForDeadline();
    link_.OnOpen("");
    ASSERT_EQ(owner_.frames.back().login().yields(), waited < kReplacedWait);
    if (waited < kReplacedWait) Receive(go_away);
  }
  Receive(Welcome());
  EXPECT_EQ(link_.state(), State::kReady);
}

TEST_F(ServerLinkTest, WhoGotTheFreeMailboxYieldsNoMore) {
  Connect();
  Receive(MakeGoAway(GoAway::REPLACED, absl::Seconds(40)));
  WaitForDeadline();
  link_.OnOpen("");
  EXPECT_TRUE(owner_.frames.back().login().yields());
  Receive(Welcome());
  ASSERT_EQ(link_.state(), State::kReady);
  link_.OnClosed(absl::OkStatus());
  WaitForDeadline();
  link_.OnOpen("");
  EXPECT_FALSE(owner_.frames.back().login().yields());
}

TEST_F(ServerLinkTest, ReplacedAtLoginJumpsAndComesBackSoon) {
  link_.Start();
  link_.OnOpen("");
  ConnectorFrame go_away = MakeGoAway(GoAway::REPLACED);
  go_away.mutable_go_away()->set_winning_login_number(40);
  Receive(go_away);
  EXPECT_LE(UntilDeadline(), kReconnectBase);
  WaitForDeadline();
  link_.OnOpen("");
  EXPECT_EQ(owner_.frames.back().login().login_number(), 41u);
}

// --- What must not happen, in every state. ---

TEST_F(ServerLinkTest, AFrameBeforeWelcomeEndsTheConnection) {
  link_.Start();
  link_.OnOpen("");
  owner_.Events();
  link_.OnData(Bytes(Push()) + Bytes(Welcome()));
  EXPECT_EQ(owner_.Events(), "hang up");
  EXPECT_EQ(link_.state(), State::kWaiting);
}

TEST_F(ServerLinkTest, NonsenseEndsTheConnection) {
  ConnectorFrame no_mailbox;
  no_mailbox.mutable_welcome();
  for (const std::string& bytes :
       {Bytes(Welcome()), std::string("\xff\xff\xff\xff", 4), std::string("\x02\xff\xff", 3)}) {
    Connect();
    link_.OnData(bytes);
    EXPECT_EQ(owner_.Events(), "hang up, session end");
    WaitForDeadline();
  }
  link_.OnOpen("");
  owner_.Events();
  Receive(no_mailbox);
  EXPECT_EQ(owner_.Events(), "hang up");
}

TEST_F(ServerLinkTest, UnknownFramesAreSkipped) {
  Connect();
  link_.OnData(absl::string_view("\x04\xfa\x7f\x01\x00", 5));  // Field 2047, one byte.
  EXPECT_EQ(owner_.Events(), "");
  EXPECT_EQ(link_.state(), State::kReady);
}

TEST_F(ServerLinkTest, TroubleOfTheOwnerEndsTheSession) {
  Connect();
  owner_.frame_status = absl::ResourceExhaustedError("disk full");
  link_.OnData(Bytes(Push()) + Bytes(Push()));
  EXPECT_EQ(owner_.Events(), "frame 2, hang up, session end");
  EXPECT_EQ(link_.last_error(), "disk full");
  WaitForDeadline();
  owner_.welcome_status = absl::ResourceExhaustedError("still full");
  link_.OnOpen("");
  owner_.Events();
  Receive(Welcome());
  EXPECT_EQ(owner_.Events(), "welcome, hang up, session end");
}

TEST_F(ServerLinkTest, StrayEventsDoNothing) {
  link_.OnOpen("");
  link_.OnData("x");
  link_.OnClosed(absl::OkStatus());
  link_.OnDeadline();
  link_.Abandon(absl::OkStatus());
  EXPECT_EQ(owner_.Events(), "");
  link_.Start();
  link_.OnData("x");
  link_.OnClosed(absl::UnavailableError(""));
  owner_.Events();
  link_.OnOpen("");
  link_.OnData("x");
  link_.OnClosed(absl::OkStatus());
  EXPECT_EQ(owner_.Events(), "");
  EXPECT_EQ(link_.state(), State::kWaiting);
}

TEST_F(ServerLinkTest, StopsInEveryState) {
  link_.Start();
  link_.Stop();
  EXPECT_EQ(owner_.Events(), "dial a:1, hang up");
  link_.Start();
  link_.OnClosed(absl::OkStatus());
  link_.Stop();
  EXPECT_EQ(owner_.Events(), "dial a:1");
  Connect();
  link_.Stop();
  EXPECT_EQ(owner_.Events(), "hang up, session end");
  EXPECT_EQ(link_.deadline(), std::nullopt);
}

}  // namespace
}  // namespace bellwire::agent
