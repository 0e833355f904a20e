#include "connector/doors/bellwire/device_connection.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::AppRegistered;
using device::v1::GoAway;
using S = ConnectionState;
using H = ConnectionHarness;
using Seqs = std::vector<uint64_t>;

// --- Login. ---

TEST(DeviceConnectionTest, LoginBindsThenWelcomesThenSendsThePage) {
  H h;
  h.connection.OnOpen();
  EXPECT_EQ(h.connection.state(), S::kAwaitingLogin);
  h.Receive(H::LoginFrame(9));
  EXPECT_EQ(h.connection.state(), S::kBinding);
  ASSERT_EQ(h.host.binds.size(), 1u);
  const internal::v1::BindRequest& bind = h.host.binds[0];
  EXPECT_EQ(bind.device_id(), h.device_id.bytes());
  EXPECT_EQ(bind.route().connector_address(), H::kAddress);
  EXPECT_EQ(bind.route().connector_incarnation(), H::kIncarnation);
  EXPECT_EQ(bind.route().session_id(), H::kSessionId);
  EXPECT_EQ(bind.route().login_number(), 9u);
  EXPECT_EQ(bind.max_bytes(), kSessionWindowBytes);
  EXPECT_EQ(bind.max_messages(), kSessionWindowMessages);
  EXPECT_TRUE(h.host.frames.empty());

  internal::v1::BindResponse bound = H::Bound(3);
  *bound.mutable_page() = H::Pulled(4, 5, false).page();
  internal::v1::Envelope* gap = bound.mutable_page()->add_messages();
  gap->set_seq(6);
  gap->set_gap_dropped(2);
  bound.mutable_page()->set_complete_to_seq(6);
  h.connection.OnBound(bound);
  EXPECT_EQ(h.connection.state(), S::kActive);
  ASSERT_EQ(h.host.frames.size(), 4u);
  ASSERT_TRUE(h.host.frames[0].has_welcome());
  const device::v1::Welcome& welcome = h.host.frames[0].welcome();
  EXPECT_EQ(welcome.mailbox_id(), std::string(16, 'b'));
  EXPECT_EQ(welcome.settled_seq(), 3u);
  EXPECT_EQ(welcome.server_time_ms(), WallNowMs(h.clock));
  EXPECT_EQ(welcome.window_bytes(), kSessionWindowBytes);
  EXPECT_EQ(welcome.heartbeat_bounds().min_interval_ms(), 10'000u);
  EXPECT_EQ(welcome.heartbeat_bounds().max_interval_ms(), 3'600'000u);
  EXPECT_TRUE(h.host.frames[3].has_gap());
  EXPECT_EQ(h.PushedSeqs(), (Seqs{4, 5, 6}));
  EXPECT_EQ(h.host.tickets, std::vector<std::string>{std::string(h.device_id.bytes())});
  ASSERT_TRUE(h.host.session_started.has_value());
  EXPECT_EQ(h.host.session_started->first, h.device_id);
  EXPECT_EQ(h.host.session_started->second, 9u);
  EXPECT_FALSE(h.host.broken_framing);
}

TEST(DeviceConnectionTest, LoginBySignature) {
  const std::unique_ptr<DeviceKey> key = *DeviceKey::Generate();
  H h;
  h.host.ticket_data.clear();
  h.host.exporter = std::string(kTlsExporterBytes, 'x');
  h.connection.OnOpen();
  device::v1::AgentFrame frame;
  frame.mutable_login()->set_public_key(key->public_key_der());
  frame.mutable_login()->set_login_number(1);
  frame.mutable_login()->set_signature(*key->SignLogin(h.host.exporter, 1));
  h.Receive(frame);
  EXPECT_EQ(h.connection.state(), S::kBinding);
  EXPECT_EQ(h.connection.device_id(), key->device_id());
}

TEST(DeviceConnectionTest, BadLoginIsRefused) {
  H h;
  h.host.ticket_data.clear();
  h.BringTo(S::kAwaitingLogin);
  h.Receive(H::LoginFrame());
  h.ExpectClosed(CloseReason::kLoginRefused);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::LOGIN_REFUSED);
  EXPECT_TRUE(h.host.binds.empty());
}

TEST(DeviceConnectionTest, MalformedLoginIsAProtocolError) {
  H h;
  h.BringTo(S::kAwaitingLogin);
  h.Receive(H::LoginFrame(/*login_number=*/0));
  h.ExpectClosed(CloseReason::kProtocolError);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::PROTOCOL_ERROR);
}

TEST(DeviceConnectionTest, FrameBeforeLoginIsBounded) {
  H h;
  h.BringTo(S::kAwaitingLogin);
  std::string header;
  // 8,193 as a varint: one more than kMaxPreLoginBytes.
  h.connection.OnData("\x81\x40");
  h.ExpectClosed(CloseReason::kProtocolError);
}

TEST(DeviceConnectionTest, LoginMayComeByteByByte) {
  H h;
  h.BringTo(S::kAwaitingLogin);
  for (const char c : H::Bytes(H::LoginFrame())) {
    EXPECT_EQ(h.connection.state(), S::kAwaitingLogin);
    h.connection.OnData(absl::string_view(&c, 1));
  }
  EXPECT_EQ(h.connection.state(), S::kBinding);
}

TEST(DeviceConnectionTest, ALoginNumberFarAheadIsRefusedAndLearnsTheLastOne) {
  H h;
  h.BringTo(S::kBinding);
  h.connection.OnBound(WithMetadata(
      MakeError(absl::StatusCode::kFailedPrecondition, "LOGIN_NUMBER_TOO_GREAT", "too great"),
      "winning_login_number", "6"));
  h.ExpectClosed(CloseReason::kProtocolError);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::PROTOCOL_ERROR);
  EXPECT_EQ(h.LastGoAway().winning_login_number(), 6u);
}

TEST(DeviceConnectionTest, StaleLoginLearnsWhoWon) {
  H h;
  h.BringTo(S::kBinding);
  h.connection.OnBound(H::StaleLogin(42));
  h.ExpectClosed(CloseReason::kReplaced);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::REPLACED);
  EXPECT_EQ(h.LastGoAway().winning_login_number(), 42u);
  EXPECT_TRUE(h.host.unbinds.empty());
}

TEST(DeviceConnectionTest, WithoutRegistryTheAgentComesBackLater) {
  H h;
  h.BringTo(S::kBinding);
  h.connection.OnBound(H::Unavailable());
  h.ExpectClosed(CloseReason::kOverloaded);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::OVERLOADED);
  EXPECT_GE(h.LastGoAway().retry_after_ms(), 2'000u);
  EXPECT_LE(h.LastGoAway().retry_after_ms(), 20'000u);
}

// --- The time-outs of each state. ---

TEST(DeviceConnectionTest, HandshakeAndLoginShareOneTimeout) {
  H h;
  h.Advance(kLoginTimeout - absl::Milliseconds(1));
  EXPECT_FALSE(h.host.closed.has_value());
  h.Advance(absl::Milliseconds(1));
  h.ExpectClosed(CloseReason::kLoginTimeout);
  EXPECT_TRUE(h.host.frames.empty());

  H other;
  other.Advance(kLoginTimeout / 2);
  other.connection.OnOpen();
  other.Advance(kLoginTimeout / 2);
  other.ExpectClosed(CloseReason::kLoginTimeout);
  EXPECT_EQ(other.LastGoAway().reason(), GoAway::LOGIN_TIMEOUT) << "it broke no rule";
  EXPECT_GT(other.LastGoAway().retry_after_ms(), 0u);
}

TEST(DeviceConnectionTest, WhoMakesRoomForOthersIsToldSo) {
  H h;
  h.connection.OnOpen();
  h.connection.OnLoginOverdue();
  h.ExpectClosed(CloseReason::kOverloaded);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::OVERLOADED);
  EXPECT_GT(h.LastGoAway().retry_after_ms(), 0u);
}

TEST(DeviceConnectionTest, ALoginInThousandsOfPiecesIsCutShort) {
  H h;
  h.connection.OnOpen();
  // The length of a frame of 8,000 bytes, and its bytes one by one.
  h.connection.OnData("\xc0");
  h.connection.OnData("\x3e");
  for (size_t i = 2; i < kMaxPreLoginPieces; ++i) h.connection.OnData("x");
  EXPECT_FALSE(h.host.closed.has_value());
  h.connection.OnData("x");
  h.ExpectClosed(CloseReason::kProtocolError);
}

TEST(DeviceConnectionTest, BindTimesOut) {
  H h;
  h.BringTo(S::kBinding);
  h.Advance(kBindTimeout);
  h.ExpectClosed(CloseReason::kOverloaded);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::OVERLOADED);
}

TEST(DeviceConnectionTest, SilenceBeyondThePromiseIsDeath) {
  H h;
  h.connection.OnOpen();
  device::v1::AgentFrame login = H::LoginFrame();
  login.mutable_login()->set_heartbeat_interval_ms(30'000);
  h.Receive(login);
  h.connection.OnBound(H::Bound());
  const absl::Duration allowance = absl::Seconds(30) + kSilenceGrace;
  h.Advance(allowance - absl::Milliseconds(1));
  h.ReceiveHeartbeat();
  EXPECT_EQ(h.host.heartbeats, 1);
  h.Advance(allowance - absl::Milliseconds(1));
  EXPECT_FALSE(h.host.closed.has_value());
  h.Advance(absl::Milliseconds(1));
  h.ExpectClosed(CloseReason::kSilent);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::SILENT);
  EXPECT_EQ(h.host.unbinds.size(), 1u);
}

TEST(DeviceConnectionTest, AHeartbeatArmsNoTimer) {
  H h;
  h.BringTo(S::kActive);
  h.host.timer.reset();
  h.ReceiveHeartbeat();
  EXPECT_FALSE(h.host.timer.has_value());
}

// --- Messages. ---

TEST(DeviceConnectionTest, DeliversInOrderAndHandsAcksOver) {
  H h;
  h.BringTo(S::kActive);
  EXPECT_TRUE(h.Deliver(H::Message(1)));
  EXPECT_TRUE(h.Deliver(H::Message(2)));
  EXPECT_TRUE(h.Deliver(H::Message(2)));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{1, 2}));
  EXPECT_EQ(h.bytes_in_flight.value(), 10);
  const int64_t sent_at_ms = WallNowMs(h.clock);
  h.clock.Advance(absl::Milliseconds(30));
  h.ReceiveAck(2);
  ASSERT_EQ(h.host.acks.size(), 1u);
  EXPECT_EQ(h.host.acks[0].device_id(), h.device_id.bytes());
  EXPECT_EQ(h.host.acks[0].route().session_id(), H::kSessionId);
  ASSERT_EQ(h.host.acks[0].items_size(), 2);
  EXPECT_EQ(h.host.acks[0].items(1).seq(), 2u);
  EXPECT_EQ(h.host.acks[0].items(1).sent_at_ms(), sent_at_ms);
  h.connection.OnAckTaken(absl::OkStatus());
  EXPECT_EQ(h.bytes_in_flight.value(), 0);
  h.Advance(absl::Minutes(1));
  EXPECT_EQ(h.host.acks.size(), 1u);
  EXPECT_TRUE(h.host.reports.empty());
}

TEST(DeviceConnectionTest, AcksOfOneTurnAreOneCallAndLaterOnesWaitForItsAnswer) {
  H h;
  h.BringTo(S::kActive);
  for (uint64_t seq = 1; seq <= 4; ++seq) h.Deliver(H::Message(seq));
  device::v1::AgentFrame ack;
  ack.mutable_ack()->set_up_to_seq(1);
  h.Receive(ack);
  ack.mutable_ack()->set_up_to_seq(2);
  h.Receive(ack);
  EXPECT_TRUE(h.host.acks.empty());
  h.Flush();
  ASSERT_EQ(h.host.acks.size(), 1u);
  EXPECT_EQ(h.host.acks[0].items_size(), 2);
  h.ReceiveAck(3);
  h.ReceiveAck(4);
  EXPECT_EQ(h.host.acks.size(), 1u);
  h.connection.OnAckTaken(absl::OkStatus());
  ASSERT_EQ(h.host.acks.size(), 2u);
  EXPECT_EQ(h.host.acks[1].items_size(), 2);
}

TEST(DeviceConnectionTest, AcksAreRepeatedUntilTheRegistryTakesThem) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.ReceiveAck(1);
  for (size_t attempt = 1; attempt <= 5; ++attempt) {
    ASSERT_EQ(h.host.acks.size(), attempt);
    EXPECT_EQ(h.host.acks.back().items_size(), 1);
    h.connection.OnAckTaken(H::Unavailable());
    // Not at once …
    EXPECT_EQ(h.host.acks.size(), attempt);
    // … but within the bound.
    h.Advance(kRegistryRetryMax);
    h.ReceiveHeartbeat();
  }
  h.connection.OnAckTaken(absl::OkStatus());
  h.Advance(kRegistryRetryMax);
  EXPECT_EQ(h.host.acks.size(), 6u);
}

TEST(DeviceConnectionTest, ARegistryThatIsAwayShutsTheWindow) {
  H h;
  h.BringTo(S::kActive);
  for (uint64_t seq = 1; seq <= kSessionWindowMessages; ++seq) h.Deliver(H::Message(seq, 0));
  h.ReceiveAck(kSessionWindowMessages);
  h.connection.OnAckTaken(H::Unavailable());
  EXPECT_TRUE(h.Deliver(H::Message(kSessionWindowMessages + 1)));
  EXPECT_EQ(h.PushedSeqs().size(), kSessionWindowMessages);
  h.Advance(kRegistryRetryMax);
  h.connection.OnAckTaken(absl::OkStatus());
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].after_seq(), kSessionWindowMessages);
}

TEST(DeviceConnectionTest, ARegistryThatRefusesEndsTheSession) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.ReceiveAck(1);
  h.connection.OnAckTaken(absl::InvalidArgumentError("what?"));
  h.ExpectClosed(CloseReason::kOverloaded);
}

TEST(DeviceConnectionTest, AStaleAckCountsAndEndsTheSession) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.ReceiveAck(1);
  h.connection.OnAckTaken(H::StaleLogin(6));
  h.ExpectClosed(CloseReason::kReplaced);
  EXPECT_EQ(h.LastGoAway().winning_login_number(), 6u);
  EXPECT_EQ(h.host.acks.size(), 1u);
  EXPECT_TRUE(h.host.unbinds.empty());
}

TEST(DeviceConnectionTest, BadAcksAreProtocolErrors) {
  const std::vector<std::function<void(device::v1::Ack*)>> bad = {
      [](device::v1::Ack* ack) { ack->add_ranges(); },
      [](device::v1::Ack* ack) {
        ack->add_ranges()->set_first(3);
        ack->mutable_ranges(0)->set_last(2);
      },
      [](device::v1::Ack* ack) {
        for (size_t i = 0; i <= kMaxAckRangesPerFrame; ++i) {
          ack->add_ranges()->set_first(1);
          ack->mutable_ranges()->rbegin()->set_last(1);
        }
      }};
  for (const auto& make : bad) {
    H h;
    h.BringTo(S::kActive);
    device::v1::AgentFrame frame;
    make(frame.mutable_ack());
    h.Receive(frame);
    h.ExpectClosed(CloseReason::kProtocolError);
  }
}

TEST(DeviceConnectionTest, AFullWindowIsPulledAsAcksFreeIt) {
  H h;
  h.BringTo(S::kActive);
  const uint64_t fit = kSessionWindowBytes / kMaxPayloadBytes;
  for (uint64_t seq = 1; seq <= fit + 3; ++seq) {
    EXPECT_TRUE(h.Deliver(H::Message(seq, kMaxPayloadBytes)));
  }
  EXPECT_EQ(h.PushedSeqs().size(), fit);
  EXPECT_EQ(h.bytes_in_flight.value(), static_cast<int64_t>(kSessionWindowBytes));
  EXPECT_TRUE(h.host.pulls.empty());
  h.ReceiveAck(1);
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].after_seq(), fit);
  EXPECT_EQ(h.host.pulls[0].max_bytes(), kMaxPayloadBytes);
  EXPECT_LE(h.host.pulls[0].max_messages(), kSessionWindowMessages);
  // One at a time.
  h.ReceiveAck(fit);
  EXPECT_EQ(h.host.pulls.size(), 1u);
  h.connection.OnPulled(H::Pulled(fit + 1, fit + 3, false, kMaxPayloadBytes));
  EXPECT_EQ(h.PushedSeqs().size(), fit + 3);
  h.Deliver(H::Message(fit + 4));
  EXPECT_EQ(h.PushedSeqs().back(), fit + 4);
  EXPECT_EQ(h.host.pulls.size(), 1u);
}

TEST(DeviceConnectionTest, PullIsRepeatedWithBackOff) {
  H h;
  h.BringTo(S::kActive);
  h.Miss();
  for (size_t attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(h.host.pulls.size(), attempt);
    h.connection.OnPulled(H::Unavailable());
    EXPECT_EQ(h.host.pulls.size(), attempt);
    h.Advance(kRegistryRetryMax);
  }
  h.connection.OnPulled(H::Pulled(1, 0, false));  // No HIGH one.
  h.connection.OnPulled(H::Pulled(1, 1, false));
  EXPECT_EQ(h.PushedSeqs(), Seqs{1});
}

TEST(DeviceConnectionTest, APageWithMoreIsFollowedByTheNext) {
  H h;
  h.BringTo(S::kBinding);
  internal::v1::BindResponse bound = H::Bound();
  *bound.mutable_page() = H::Pulled(1, 2, true).page();
  h.connection.OnBound(bound);
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].after_seq(), 2u);
  // Handed over before the page was read: the page has it.
  EXPECT_TRUE(h.Deliver(H::Message(4)));
  h.connection.OnPulled(H::Pulled(3, 2, false));  // No HIGH one.
  ASSERT_EQ(h.host.pulls.size(), 2u);
  EXPECT_EQ(h.host.pulls[1].after_seq(), 2u);
  h.connection.OnPulled(H::Pulled(3, 4, false));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{1, 2, 3, 4}));
  // And after it: nothing is behind any more, but LOW, of which nobody knows.
  EXPECT_TRUE(h.Deliver(H::Message(5)));
  EXPECT_EQ(h.PushedSeqs().back(), 5u);
}

TEST(DeviceConnectionTest, AMessageOfAPageIsNotSentTwice) {
  H h;
  h.BringTo(S::kActive, /*settled_seq=*/5);
  h.Deliver(H::Message(6));
  h.Miss();
  h.connection.OnPulled(H::Pulled(7, 6, false));  // No HIGH one.
  // A registry that forgot where we are.
  h.connection.OnPulled(H::Pulled(1, 7, false));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{6, 7}));
}

// --- Now or never. ---

TEST(DeviceConnectionTest, NowOrNeverGoesAtOnceAndTheRegistryHearsOfTheAck) {
  H h;
  h.BringTo(S::kActive);
  EXPECT_TRUE(h.Deliver(H::NowOrNever(1)));
  EXPECT_EQ(h.PushedSeqs(), Seqs{1});
  h.ReceiveAck(1);
  EXPECT_EQ(h.LastOutcome(), "") << "it has no turn";
  h.ReceiveAckRange(1, 1);
  EXPECT_EQ(h.LastOutcome(), "DEVICE_ACKED 1");
  EXPECT_EQ(h.host.outcomes.back().device_id(), h.device_id.bytes());
  ASSERT_EQ(h.host.acks.size(), 1u);
  h.Deliver(H::Message(2));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{1, 2}));
  h.ReceiveAck(2);
  EXPECT_EQ(h.host.outcomes.size(), 1u) << "nobody waits for an ordinary one";
}

TEST(DeviceConnectionTest, ARepeatedNowOrNeverIsSentOnce) {
  H h;
  h.BringTo(S::kActive);
  EXPECT_TRUE(h.Deliver(H::NowOrNever(1)));
  EXPECT_TRUE(h.Deliver(H::NowOrNever(1)));
  EXPECT_EQ(h.PushedSeqs(), Seqs{1});
  EXPECT_EQ(h.LastOutcome(), "");
}

TEST(DeviceConnectionTest, NowOrNeverPassesAFullWindow) {
  H h;
  h.BringTo(S::kActive);
  for (uint64_t seq = 1; seq <= kSessionWindowMessages + 1; ++seq) h.Deliver(H::Message(seq, 0));
  const uint64_t urgent = kSessionWindowMessages + 2;
  h.Deliver(H::NowOrNever(urgent));
  EXPECT_EQ(h.PushedSeqs().back(), urgent);
  h.ReceiveAckRange(1, urgent);
  h.connection.OnAckTaken(absl::OkStatus());
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].after_seq(), kSessionWindowMessages);
  // The page covers its seq without holding it.
  internal::v1::PullResponse page = H::Pulled(urgent - 1, urgent - 1, false);
  page.mutable_page()->set_complete_to_seq(urgent);
  h.connection.OnPulled(page);
  h.Deliver(H::Message(urgent + 1));
  EXPECT_EQ(h.PushedSeqs().back(), urgent + 1);
}

TEST(DeviceConnectionTest, NowOrNeverIsBounded) {
  H h;
  h.BringTo(S::kActive);
  for (uint64_t seq = 1; seq <= kMaxNowOrNeverInFlight; ++seq) h.Deliver(H::NowOrNever(seq));
  EXPECT_EQ(h.LastOutcome(), "");
  const uint64_t next = kMaxNowOrNeverInFlight + 1;
  EXPECT_TRUE(h.Deliver(H::NowOrNever(next)));
  EXPECT_EQ(h.LastOutcome(), absl::StrCat("NOT_TAKEN ", next));
  EXPECT_EQ(h.PushedSeqs().size(), kMaxNowOrNeverInFlight);
  h.Deliver(H::Message(next + 1));
  EXPECT_EQ(h.PushedSeqs().back(), next + 1);
}

TEST(DeviceConnectionTest, TheEndOfTheSessionEndsWhatIsAwaited) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::NowOrNever(1));
  h.Deliver(H::Message(2));
  h.connection.OnTransportClosed(absl::OkStatus());
  ASSERT_EQ(h.host.outcomes.size(), 1u);
  EXPECT_EQ(h.LastOutcome(), "NOT_TAKEN 1");
}

// --- Slow acknowledgements. ---

TEST(DeviceConnectionTest, ReportsSentWhatIsNotAcknowledgedSoon) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.Deliver(H::Message(2));
  h.ReceiveAck(1);
  h.Advance(kReportSentAfter * 2);
  ASSERT_EQ(h.host.reports.size(), 1u);
  ASSERT_EQ(h.host.reports[0].items_size(), 1);
  EXPECT_EQ(h.host.reports[0].items(0).seq(), 2u);
  h.Advance(absl::Minutes(1));
  EXPECT_EQ(h.host.reports.size(), 1u);
}

// --- Apps. ---

TEST(DeviceConnectionTest, RegistersApps) {
  H h;
  h.BringTo(S::kActive);
  h.host.frames.clear();
  h.ReceiveRegisterApp(3, "com.example.mail");
  ASSERT_EQ(h.host.registrations.size(), 1u);
  EXPECT_EQ(h.host.registrations[0].second.app_id(), "com.example.mail");
  EXPECT_EQ(h.host.registrations[0].second.device_id(), h.device_id.bytes());
  internal::v1::RegisterAppResponse response;
  response.set_registration_id(99);
  response.set_token("70");
  h.connection.OnAppRegistered(3, "com.example.mail", "", response);
  ASSERT_EQ(h.host.frames.size(), 1u);
  const AppRegistered& registered = h.host.frames[0].app_registered();
  EXPECT_EQ(registered.outcome(), AppRegistered::OK);
  EXPECT_EQ(registered.request_id(), 3u);
  EXPECT_EQ(registered.registration_id(), 99u);
  EXPECT_EQ(registered.token(), "70");
  EXPECT_EQ(registered.app_id(), "com.example.mail");
}

TEST(DeviceConnectionTest, RegistrationErrorsHaveOutcomes) {
  const auto outcome_of = [](const absl::Status& status) {
    H h;
    h.BringTo(S::kActive);
    h.ReceiveRegisterApp(1, "com.example.mail");
    h.connection.OnAppRegistered(1, "com.example.mail", "", status);
    return h.host.frames.back().app_registered().outcome();
  };
  EXPECT_EQ(outcome_of(MakeError(absl::StatusCode::kNotFound, "UNKNOWN_APP", "")),
            AppRegistered::UNKNOWN_APP);
  EXPECT_EQ(outcome_of(MakeError(absl::StatusCode::kInvalidArgument, "BAD_APP_ID", "")),
            AppRegistered::BAD_APP_ID);
  EXPECT_EQ(outcome_of(MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED", "")),
            AppRegistered::LIMIT_REACHED);
  EXPECT_EQ(outcome_of(MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED", "")),
            AppRegistered::UNAVAILABLE);
  EXPECT_EQ(outcome_of(H::Unavailable()), AppRegistered::UNAVAILABLE);
}

TEST(DeviceConnectionTest, BadAppIdsNeverReachTheRegistry) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveRegisterApp(1, "nodots");
  EXPECT_EQ(h.host.frames.back().app_registered().outcome(), AppRegistered::BAD_APP_ID);
  EXPECT_EQ(h.host.frames.back().app_registered().request_id(), 1u);
  EXPECT_EQ(h.host.frames.back().app_registered().app_id(), "nodots");
  // The longest that fits into a frame with its request.
  const std::string longest(kMaxFrameBytes - 10, 'a');
  h.ReceiveRegisterApp(1, longest);
  EXPECT_EQ(h.host.frames.back().app_registered().outcome(), AppRegistered::BAD_APP_ID);
  EXPECT_EQ(h.host.frames.back().app_registered().app_id(), longest);
  h.ReceiveRegisterApp(1, longest + "aa");
  EXPECT_EQ(h.host.frames.back().app_registered().outcome(), AppRegistered::BAD_APP_ID);
  EXPECT_EQ(h.host.frames.back().app_registered().app_id(), "") << "has no room";
  h.ReceiveRemoveApp(2, "nodots");
  EXPECT_TRUE(h.host.frames.back().app_removed().ok());
  EXPECT_TRUE(h.host.registrations.empty());
  EXPECT_TRUE(h.host.removals.empty());
}

TEST(DeviceConnectionTest, AStringThatIsNotUtf8IsAProtocolError) {
  H h;
  h.BringTo(S::kActive);
  // RegisterApp with an app_id of one byte.
  h.connection.OnData(absl::string_view("\x05\x22\x03\x12\x01\xff", 6));
  h.ExpectClosed(CloseReason::kProtocolError);
}

TEST(DeviceConnectionTest, RemovesApps) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveRemoveApp(4, "com.example.mail", 77);
  h.ReceiveRemoveApp(5, "com.example.mail");
  ASSERT_EQ(h.host.removals.size(), 2u);
  EXPECT_EQ(h.host.removals[0].second.registration_id(), 77u);
  EXPECT_EQ(h.host.removals[1].second.registration_id(), 0u);
  h.connection.OnAppRemoved(4, internal::v1::RemoveAppResponse());
  EXPECT_TRUE(h.host.frames.back().app_removed().ok());
  EXPECT_EQ(h.host.frames.back().app_removed().request_id(), 4u);
  h.connection.OnAppRemoved(5, H::Unavailable());
  EXPECT_FALSE(h.host.frames.back().app_removed().ok());
}

TEST(DeviceConnectionTest, AppRequestsAreBounded) {
  H h;
  h.BringTo(S::kActive);
  for (size_t i = 0; i < kMaxPendingAppRequests; ++i) h.ReceiveRegisterApp(1, "com.example.mail");
  EXPECT_EQ(h.host.registrations.size(), kMaxPendingAppRequests);
  h.ReceiveRegisterApp(2, "com.example.mail");
  EXPECT_EQ(h.host.frames.back().app_registered().outcome(), AppRegistered::UNAVAILABLE);
  h.ReceiveRemoveApp(3, "com.example.mail");
  EXPECT_FALSE(h.host.frames.back().app_removed().ok());
  EXPECT_TRUE(h.host.removals.empty());
  h.connection.OnAppRegistered(1, "com.example.mail", "", H::Unavailable());
  h.ReceiveRegisterApp(4, "com.example.mail");
  EXPECT_EQ(h.host.registrations.size(), kMaxPendingAppRequests + 1);
}

TEST(DeviceConnectionTest, AppAcksAreHandedOverAndRepeated) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveAppAcks(2);
  ASSERT_EQ(h.host.app_acks.size(), 1u);
  EXPECT_EQ(h.host.app_acks[0].items_size(), 2);
  EXPECT_EQ(h.host.app_acks[0].items(0).step(), push::v1::APP_ACKED);
  EXPECT_EQ(h.host.app_acks[0].items(0).registration_id(), 77u);
  h.ReceiveAppAcks(3);
  EXPECT_EQ(h.host.app_acks.size(), 1u);
  h.connection.OnAppAckTaken(H::Unavailable());
  h.Advance(kRegistryRetryMax);
  ASSERT_EQ(h.host.app_acks.size(), 2u);
  EXPECT_EQ(h.host.app_acks[1].items_size(), 5);
  h.connection.OnAppAckTaken(absl::OkStatus());
  h.Advance(kRegistryRetryMax);
  EXPECT_EQ(h.host.app_acks.size(), 2u);
}

TEST(DeviceConnectionTest, AHeartbeatIsAnsweredOnceTheRegistryHasTheAppAcksBeforeIt) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveAppAcks(2);
  h.ReceiveHeartbeat();
  h.ReceiveAppAcks(1);
  EXPECT_EQ(h.host.heartbeats, 0);
  h.connection.OnAppAckTaken(H::Unavailable());
  EXPECT_EQ(h.host.heartbeats, 0);
  h.Advance(kRegistryRetryMax);
  h.ReceiveHeartbeat();
  // All three are told now.
  h.connection.OnAppAckTaken(absl::OkStatus());
  EXPECT_EQ(h.host.heartbeats, 2);
  h.ReceiveHeartbeat();
  EXPECT_EQ(h.host.heartbeats, 3);
}

TEST(DeviceConnectionTest, AHeartbeatDoesNotWaitForLaterAppAcks) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveAppAcks(1);
  h.ReceiveHeartbeat();
  h.ReceiveAppAcks(1);
  h.connection.OnAppAckTaken(absl::OkStatus());
  EXPECT_EQ(h.host.heartbeats, 1);
  EXPECT_EQ(h.host.app_acks.size(), 2u);
}

TEST(DeviceConnectionTest, AHeartbeatThatCanNotBeAnsweredEndsTheSession) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveAppAcks(1);
  h.ReceiveHeartbeat();
  h.connection.OnAppAckTaken(H::Unavailable());
  h.Advance(kMaxHeartbeatDelay - absl::Milliseconds(1));
  EXPECT_FALSE(h.host.closed.has_value());
  h.Advance(absl::Milliseconds(1));
  h.ExpectClosed(CloseReason::kOverloaded);
  EXPECT_EQ(h.host.heartbeats, 0);
}

// 2,048 of them right after Welcome, say: the agent is slowed down to what the registry takes, and
// loses neither its session nor time.
TEST(DeviceConnectionTest, ManyAppAcksAreTakenAsFastAsTheRegistryTakesThem) {
  H h;
  h.BringTo(S::kActive);
  size_t taken = 0;
  size_t sent = 0;
  while (taken < 2048) {
    while (!h.host.paused && sent < 2048) {
      h.ReceiveAppAcks(64);
      sent += 64;
    }
    ASSERT_FALSE(h.host.closed.has_value());
    ASSERT_EQ(h.host.app_acks.size(), 1u);
    ASSERT_LE(sent - taken, kMaxPendingAppAcks);
    taken += static_cast<size_t>(h.host.app_acks[0].items_size());
    h.host.app_acks.clear();
    h.connection.OnAppAckTaken(absl::OkStatus());
  }
  EXPECT_FALSE(h.host.paused);
  h.ReceiveHeartbeat();
  EXPECT_EQ(h.host.heartbeats, 1);
}

TEST(DeviceConnectionTest, WhatWasReadBeforeThePauseStillFits) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveAppAcks(static_cast<int>(kPauseAtAppAcks) - 1);
  EXPECT_FALSE(h.host.paused);
  // The most that one TLS record holds.
  std::string record;
  while (record.size() < kMaxFrameBytes) {
    device::v1::AgentFrame frame;
    for (int i = 0; i < 64; ++i) {
      frame.mutable_app_ack()->add_items()->set_message_id(std::string(MessageId::kSize, 'm'));
    }
    record += H::Bytes(frame);
  }
  record.resize(kMaxFrameBytes);
  h.connection.OnData(record);
  EXPECT_TRUE(h.host.paused);
  EXPECT_FALSE(h.host.closed.has_value());
}

TEST(DeviceConnectionTest, ADeviceThatIsNotReadFromIsNotKeptWaitingForEver) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveAppAcks(static_cast<int>(kPauseAtAppAcks));
  EXPECT_TRUE(h.host.paused);
  h.connection.OnAppAckTaken(H::Unavailable());
  h.Advance(kMaxHeartbeatDelay - absl::Milliseconds(1));
  EXPECT_FALSE(h.host.closed.has_value());
  h.Advance(absl::Milliseconds(1));
  h.ExpectClosed(CloseReason::kOverloaded);
}

// An app's word on a message counts once the message is acknowledged
// (registry/mailbox/acknowledge.h).
TEST(DeviceConnectionTest, AppAcksFollowTheAcksBeforeThem) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.Deliver(H::Message(2));
  h.ReceiveAck(1);
  h.ReceiveAppAcks(1);
  ASSERT_EQ(h.host.acks.size(), 1u);
  EXPECT_TRUE(h.host.app_acks.empty());
  h.connection.OnAckTaken(H::Unavailable());
  EXPECT_TRUE(h.host.app_acks.empty());
  h.Advance(kRegistryRetryMax);
  ASSERT_EQ(h.host.acks.size(), 2u);
  // Acks that come all the time don't keep it back.
  h.ReceiveAck(2);
  h.ReceiveAppAcks(2);
  h.connection.OnAckTaken(absl::OkStatus());
  ASSERT_EQ(h.host.acks.size(), 3u);
  ASSERT_EQ(h.host.app_acks.size(), 1u);
  EXPECT_EQ(h.host.app_acks[0].items_size(), 1);
  h.connection.OnAppAckTaken(absl::OkStatus());
  EXPECT_EQ(h.host.app_acks.size(), 1u);
  h.connection.OnAckTaken(absl::OkStatus());
  ASSERT_EQ(h.host.app_acks.size(), 2u);
  EXPECT_EQ(h.host.app_acks[1].items_size(), 2);
}

TEST(DeviceConnectionTest, MalformedAppAcksAreProtocolErrors) {
  H too_many;
  too_many.BringTo(S::kActive);
  too_many.ReceiveAppAcks(kMaxAppAcksPerFrame + 1);
  too_many.ExpectClosed(CloseReason::kProtocolError);

  H bad_id;
  bad_id.BringTo(S::kActive);
  device::v1::AgentFrame frame;
  frame.mutable_app_ack()->add_items()->set_message_id("short");
  bad_id.Receive(frame);
  bad_id.ExpectClosed(CloseReason::kProtocolError);
}

TEST(DeviceConnectionTest, RecallReachesTheAgent) {
  H h;
  h.BringTo(S::kActive);
  internal::v1::Recall recall;
  recall.set_message_id(std::string(16, 'm'));
  recall.set_registration_id(8);
  recall.set_seq(9);
  internal::v1::ConnectorRequest request = h.ForSession();
  *request.mutable_recall() = recall;
  EXPECT_TRUE(h.connection.HandOver(request));
  EXPECT_EQ(h.host.frames.back().recall().message_id(), std::string(16, 'm'));
  EXPECT_EQ(h.host.frames.back().recall().registration_id(), 8u);
  EXPECT_EQ(h.host.frames.back().recall().seq(), 9u);
}

TEST(DeviceConnectionTest, RecallsThatWaitedAreToldBeforeAnyMessage) {
  H h;
  h.BringTo(S::kBinding);
  internal::v1::BindResponse bound;
  bound.set_mailbox_id(std::string(16, 'x'));
  internal::v1::Recall* recall = bound.add_recalls();
  recall->set_message_id(std::string(16, 'm'));
  recall->set_registration_id(8);
  recall->set_seq(1);
  internal::v1::Envelope* message = bound.mutable_page()->add_messages();
  message->set_seq(2);
  message->set_message_id(std::string(16, 'n'));
  message->set_registration_id(8);
  bound.mutable_page()->set_complete_to_seq(2);
  h.connection.OnBound(bound);
  ASSERT_EQ(h.host.frames.size(), 3);
  EXPECT_TRUE(h.host.frames[0].has_welcome());
  EXPECT_EQ(h.host.frames[1].recall().seq(), 1);
  EXPECT_EQ(h.host.frames[2].push().seq(), 2);
}

// --- Ends. ---

TEST(DeviceConnectionTest, ANewerSessionReplacesAnOlderNeverTheOtherWayRound) {
  for (const S state : {S::kBinding, S::kActive, S::kDraining}) {
    H h;  // Login number 5.
    h.BringTo(state);
    EXPECT_TRUE(h.Evict(4));
    EXPECT_EQ(h.connection.state(), state);
    EXPECT_TRUE(h.Evict(6));
    h.ExpectClosed(CloseReason::kReplaced);
    EXPECT_EQ(h.LastGoAway().reason(), GoAway::REPLACED);
    EXPECT_EQ(h.LastGoAway().winning_login_number(), 6u);
    // The route is the newer one's.
    EXPECT_TRUE(h.host.unbinds.empty());
  }
}

TEST(DeviceConnectionTest, APeerThatDoesNotReadIsClosed) {
  H h;
  h.BringTo(S::kActive);
  h.host.unsent = kMaxSessionWriteBytes;
  h.ReceiveHeartbeat();
  EXPECT_FALSE(h.host.closed.has_value());
  h.host.unsent = kMaxSessionWriteBytes + 1;
  h.ReceiveHeartbeat();
  h.ExpectClosed(CloseReason::kWriteOverflow);
}

TEST(DeviceConnectionTest, TheEndHandsOverTheLastAcksAndClearsTheRoute) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.Deliver(H::Message(2));
  h.ReceiveAck(1);
  // In flight; the next ones have to wait …
  h.ReceiveAck(2);
  h.ReceiveAppAcks(1);
  EXPECT_EQ(h.host.acks.size(), 1u);
  // … unless there is no time left.
  h.connection.OnTransportClosed(absl::UnavailableError("reset"));
  h.ExpectClosed(CloseReason::kTransportError);
  EXPECT_EQ(h.host.closed->state, S::kActive);
  EXPECT_EQ(h.host.closed->detail, "reset");
  ASSERT_EQ(h.host.acks.size(), 2u);
  EXPECT_EQ(h.host.acks[1].items(0).seq(), 2u);
  EXPECT_EQ(h.host.app_acks.size(), 1u);
  ASSERT_EQ(h.host.unbinds.size(), 1u);
  EXPECT_EQ(h.host.unbinds[0].route().session_id(), H::kSessionId);
  EXPECT_EQ(h.host.unbinds[0].device_id(), h.device_id.bytes());
  EXPECT_EQ(h.bytes_in_flight.value(), 0);
}

TEST(DeviceConnectionTest, ShutdownCallsNobody) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.ReceiveAck(1);
  h.connection.Shutdown();
  h.ExpectClosed(CloseReason::kShutdown);
  EXPECT_TRUE(h.host.unbinds.empty());
}

TEST(DeviceConnectionTest, DrainOfAnIdleSessionIsOverAtOnce) {
  H h;
  h.BringTo(S::kActive);
  h.connection.Drain();
  h.ExpectClosed(CloseReason::kDrained);
  EXPECT_EQ(h.LastGoAway().reason(), GoAway::DRAINING);
  EXPECT_GE(h.LastGoAway().retry_after_ms(), 500u);
  EXPECT_LE(h.LastGoAway().retry_after_ms(), 10'000u);
  EXPECT_EQ(h.LastGoAway().address(), "");
  EXPECT_EQ(h.host.unbinds.size(), 1u);
}

TEST(DeviceConnectionTest, DrainSendsAgentsToAnotherConnector) {
  H h;
  h.SetDrainTo({"c2.example:7444", "c3.example:7444"});
  h.BringTo(S::kActive);
  h.connection.Drain();
  const std::string other = h.LastGoAway().address();
  EXPECT_TRUE(other == "c2.example:7444" || other == "c3.example:7444") << other;
}

TEST(DeviceConnectionTest, DrainWaitsForAcksUnderWay) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.connection.Drain();
  EXPECT_EQ(h.connection.state(), S::kDraining);
  h.ReceiveAck(1);
  ASSERT_EQ(h.host.acks.size(), 1u);
  EXPECT_FALSE(h.host.closed.has_value());
  h.connection.OnAckTaken(absl::OkStatus());
  h.ExpectClosed(CloseReason::kDrained);
  EXPECT_EQ(h.host.unbinds.size(), 1u);
}

TEST(DeviceConnectionTest, DrainDoesNotWaitForEver) {
  H h;
  h.BringTo(S::kDraining);
  h.Advance(kGoAwayLinger);
  h.ExpectClosed(CloseReason::kDrained);
}

TEST(DeviceConnectionTest, DrainSendsNothingNew) {
  H h;
  h.BringTo(S::kDraining);
  const size_t pushed = h.PushedSeqs().size();
  EXPECT_FALSE(h.Deliver(H::Message(2)));
  EXPECT_FALSE(h.Deliver(H::NowOrNever(3)));
  EXPECT_EQ(h.PushedSeqs().size(), pushed);
  h.ReceiveRegisterApp(1, "com.example.mail");
  EXPECT_EQ(h.host.frames.back().app_registered().outcome(), AppRegistered::UNAVAILABLE);
  h.ReceiveRemoveApp(1, "com.example.mail");
  EXPECT_FALSE(h.host.frames.back().app_removed().ok());
  h.ReceiveHeartbeat();
  EXPECT_EQ(h.host.heartbeats, 1);
}

TEST(DeviceConnectionTest, DrainFinishesAppRequestsUnderWay) {
  H h;
  h.BringTo(S::kActive);
  h.ReceiveRegisterApp(1, "com.example.mail");
  h.connection.Drain();
  EXPECT_EQ(h.connection.state(), S::kDraining);
  h.connection.OnAppRegistered(1, "com.example.mail", "", internal::v1::RegisterAppResponse());
  EXPECT_TRUE(h.host.frames.back().has_app_registered());
  h.ExpectClosed(CloseReason::kDrained);
}

TEST(DeviceConnectionTest, FramesBehindOneThatEndsItAreDropped) {
  H h;
  h.BringTo(S::kActive);
  device::v1::AgentFrame bad;
  bad.mutable_ack()->add_ranges();
  h.connection.OnData(H::Bytes(bad) + std::string(1, '\0'));
  h.ExpectClosed(CloseReason::kProtocolError);
  EXPECT_EQ(h.host.heartbeats, 0);
}

// --- Every input in every state. ---

struct Input {
  const char* name;
  std::function<void(H&)> apply;
};

std::vector<Input> AllInputs() {
  const auto frame_input = [](const char* name, const device::v1::AgentFrame& frame) {
    return Input{name, [frame](H& h) { h.Receive(frame); }};
  };
  device::v1::AgentFrame ack, app_ack, register_app, remove_app, activity, topic;
  ack.mutable_ack()->set_up_to_seq(1);
  app_ack.mutable_app_ack()->add_items()->set_message_id(std::string(16, 'm'));
  register_app.mutable_register_app()->set_app_id("com.example.mail");
  remove_app.mutable_remove_app()->set_app_id("com.example.mail");
  activity.mutable_activity_change()->set_activity(device::v1::IDLE);
  topic.mutable_topic_change()->set_topic("news");
  return {
      {"OnOpen", [](H& h) { h.connection.OnOpen(); }},
      {"heartbeat", [](H& h) { h.ReceiveHeartbeat(); }},
      frame_input("Login", H::LoginFrame()),
      frame_input("Ack", ack),
      frame_input("AppAck", app_ack),
      frame_input("RegisterApp", register_app),
      frame_input("RemoveApp", remove_app),
      frame_input("ActivityChange", activity),
      frame_input("TopicChange", topic),
      // Field 15, one byte: a frame of a later version.
      {"unknown frame", [](H& h) { h.connection.OnData("\x03\x7a\x01\x01"); }},
      {"no protobuf", [](H& h) { h.connection.OnData("\x02\xff\xff"); }},
      {"part of a frame", [](H& h) { h.connection.OnData("\x05\x0a"); }},
      {"bad length", [](H& h) { h.connection.OnData("\xff\xff\xff\xff\xff"); }},
      {"clean end", [](H& h) { h.connection.OnTransportClosed(absl::OkStatus()); }},
      {"broken end", [](H& h) { h.connection.OnTransportClosed(absl::UnavailableError("reset")); }},
      {"early timer", [](H& h) { h.connection.OnTimer(); }},
      {"late timer",
       [](H& h) {
         h.clock.Advance(absl::Hours(48));
         h.connection.OnTimer();
       }},
      {"OnFlush", [](H& h) { h.connection.OnFlush(); }},
      {"Drain", [](H& h) { h.connection.Drain(); }},
      {"Shutdown", [](H& h) { h.connection.Shutdown(); }},
      {"missed", [](H& h) { h.Miss(); }},
      {"registry lost", [](H& h) { h.connection.OnRegistryLost(); }},
      {"registry back", [](H& h) { h.connection.Resume(); }},
      {"Deliver", [](H& h) { h.Deliver(H::Message(1)); }},
      {"Deliver now or never", [](H& h) { h.Deliver(H::NowOrNever(1)); }},
      {"Evict by older", [](H& h) { h.Evict(1); }},
      {"Evict by newer", [](H& h) { h.Evict(100); }},
      {"Recall",
       [](H& h) {
         internal::v1::ConnectorRequest request = h.ForSession();
         request.mutable_recall();
         h.connection.HandOver(request);
       }},
  };
}

// Answers of the registry reach a connection only while it waits for them or is closed.
std::vector<Input> LateAnswers() {
  return {
      {"OnBound", [](H& h) { h.connection.OnBound(H::Bound()); }},
      {"OnBound, failed", [](H& h) { h.connection.OnBound(H::Unavailable()); }},
      {"OnPulled", [](H& h) { h.connection.OnPulled(H::Pulled(1, 1, false)); }},
      {"OnResumed", [](H& h) { h.connection.OnResumed(H::Resumed(true)); }},
      {"OnAckTaken", [](H& h) { h.connection.OnAckTaken(absl::OkStatus()); }},
      {"OnAckTaken, failed", [](H& h) { h.connection.OnAckTaken(H::Unavailable()); }},
      {"OnAppAckTaken", [](H& h) { h.connection.OnAppAckTaken(absl::OkStatus()); }},
      {"OnAppRegistered",
       [](H& h) {
         h.connection.OnAppRegistered(1, "a.b", "", internal::v1::RegisterAppResponse());
       }},
      {"OnAppRemoved",
       [](H& h) { h.connection.OnAppRemoved(1, internal::v1::RemoveAppResponse()); }},
      {"OnTopicChanged", [](H& h) { h.connection.OnTopicChanged(1, absl::OkStatus()); }},
  };
}

TEST(DeviceConnectionTest, NoInputBreaksAnyState) {
  for (const S state : kAllConnectionStates) {
    for (const Input& first : AllInputs()) {
      for (const Input& second : AllInputs()) {
        SCOPED_TRACE(absl::StrCat(Name(state), ": ", first.name, ", ", second.name));
        H h;
        h.BringTo(state);
        ASSERT_EQ(h.connection.state(), state);
        first.apply(h);
        // Closed once and for all, and never without saying why.
        EXPECT_EQ(h.connection.state() == S::kClosed, h.host.closed.has_value());
        const bool was_closed = h.host.closed.has_value();
        const size_t frames = h.host.frames.size();
        second.apply(h);
        EXPECT_EQ(h.connection.state() == S::kClosed, h.host.closed.has_value());
        if (was_closed) {
          EXPECT_EQ(h.connection.state(), S::kClosed);
          EXPECT_EQ(h.host.frames.size(), frames);
        }
        EXPECT_FALSE(h.host.broken_framing);
      }
    }
  }
}

TEST(DeviceConnectionTest, LateAnswersFindAClosedConnection) {
  for (const Input& answer : LateAnswers()) {
    SCOPED_TRACE(answer.name);
    H h;
    h.BringTo(S::kActive);
    h.connection.OnTransportClosed(absl::OkStatus());
    const size_t frames = h.host.frames.size();
    answer.apply(h);
    EXPECT_EQ(h.connection.state(), S::kClosed);
    EXPECT_EQ(h.host.frames.size(), frames);
  }
}

TEST(DeviceConnectionTest, IllegalFramesEndTheConnectionWithAReason) {
  for (const S state : {S::kHandshaking, S::kAwaitingLogin, S::kBinding}) {
    H h;
    h.BringTo(state);
    h.ReceiveHeartbeat();
    h.ExpectClosed(CloseReason::kProtocolError);
    EXPECT_EQ(h.host.closed->detail, absl::StrCat("heartbeat in ", Name(state)));
    EXPECT_EQ(h.host.closed->state, state);
  }
  H h;
  h.BringTo(S::kActive);
  h.Receive(H::LoginFrame());
  h.ExpectClosed(CloseReason::kProtocolError);
}

// The memory of a million idle devices is this times a million; what TLS takes is 14 KB.
TEST(DeviceConnectionTest, IsSmall) { EXPECT_LE(sizeof(DeviceConnection), 400u); }

}  // namespace
}  // namespace bellwire::connector
