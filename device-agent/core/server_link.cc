#include "device-agent/core/server_link.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"

namespace bellwire::agent {
namespace {

using device::v1::ConnectorFrame;
using device::v1::GoAway;

absl::string_view ReasonName(GoAway::Reason reason) {
  switch (reason) {
    case GoAway::REPLACED:
      return "REPLACED";
    case GoAway::DRAINING:
      return "DRAINING";
    case GoAway::LOGIN_REFUSED:
      return "LOGIN_REFUSED";
    case GoAway::PROTOCOL_ERROR:
      return "PROTOCOL_ERROR";
    case GoAway::SILENT:
      return "SILENT";
    case GoAway::OVERLOADED:
      return "OVERLOADED";
    case GoAway::LOGIN_TIMEOUT:
      return "LOGIN_TIMEOUT";
    case GoAway::NOT_ENROLLED:
      return "NOT_ENROLLED";
    case GoAway::REVOKED:
      return "REVOKED";
    case GoAway::NO_NEW_DEVICES:
      return "NO_NEW_DEVICES";
    default:
      return "UNSPECIFIED";
  }
}

// Whether the server turned the phone away for a reason that only a person changes. What that
// person can do; empty: it did not.
absl::string_view TurnedAway(GoAway::Reason reason) {
  if (reason == GoAway::NOT_ENROLLED) {
    return "ask whoever runs the server for an enrolment token, and give it to this phone with "
           "`bellwire agent enroll TOKEN`";
  }
  if (reason == GoAway::REVOKED) return "ask whoever runs the server why";
  return "";
}

constexpr absl::string_view kStrangerHasOurKey =
    "another phone logged in with this phone's key and gets its messages now: device.key was "
    "copied. This "
    "agent comes back when the other one is gone. To give a phone a key of its own, stop its "
    "agent, move "
    "its state directory away and start it again";

[[maybe_unused]] bool CanMove(ServerLink::State from, ServerLink::State to) {
  using S = ServerLink::State;
  switch (from) {
    case S::kStopped:
      return to == S::kWaiting;
    case S::kWaiting:
      return to == S::kConnecting || to == S::kStopped;
    case S::kConnecting:
      return to == S::kLoggingIn || to == S::kWaiting || to == S::kStopped;
    case S::kLoggingIn:
      return to == S::kReady || to == S::kWaiting || to == S::kStopped;
    case S::kReady:
      return to == S::kWaiting || to == S::kStopped;
  }
  return false;
}

device::v1::NetworkReport ToProto(const NetworkReport& report) {
  device::v1::NetworkReport proto;
  proto.set_network_id(std::string(report.network.bytes()));
  proto.set_interval_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(report.interval)));
  return proto;
}

}  // namespace

ServerLink::ServerLink(std::vector<std::string> addresses, const Clock* clock,
                       HeartbeatPolicy* policy, absl::BitGenRef random, Owner* owner,
                       absl::Duration reconnect_max)
    : addresses_(std::move(addresses)),
      clock_(clock),
      policy_(policy),
      owner_(owner),
      backoff_(std::min(kReconnectBase, reconnect_max), reconnect_max, random),
      budget_(kReconnectBurst, reconnect_max * kReconnectRefillPart, clock->Boottime()),
      decoder_(kMaxFrameBytes) {}

// --- Events. ---

void ServerLink::Start() {
  MoveTo(State::kWaiting);
  Connect();
}

void ServerLink::Stop() {
  if (state_ == State::kStopped) return;
  const State before = state_;
  MoveTo(State::kStopped);
  if (before != State::kWaiting) owner_->HangUp();
  if (before == State::kReady) owner_->OnSessionEnd();
}

void ServerLink::OnOpen(const std::string& tls_exporter) {
  if (state_ != State::kConnecting) return;
  MoveTo(State::kLoggingIn);
  absl::StatusOr<device::v1::Login> login = owner_->MakeLogin(tls_exporter);
  if (!login.ok()) return Abandon(login.status());
  promised_ = policy_->promise();
  interval_ = policy_->interval();
  device::v1::AgentFrame frame;
  *frame.mutable_login() = *std::move(login);
  frame.mutable_login()->set_heartbeat_interval_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(promised_)));
  if (clock_->Boottime() >= claim_at_) yields_ = false;
  frame.mutable_login()->set_yields(yields_);
  if (const std::optional<NetworkReport> network = policy_->OnLogin()) {
    *frame.mutable_login()->mutable_network() = ToProto(*network);
  }
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  Write(bytes);
}

void ServerLink::OnData(absl::string_view bytes) {
  if (state_ != State::kLoggingIn && state_ != State::kReady) return;
  counters_.bytes_received += bytes.size();
  last_received_ = clock_->Boottime();
  const absl::Status status =
      decoder_.Feed(bytes, [this](absl::string_view body) { return OnFrameBytes(body); });
  if (!status.ok()) Lose(absl::StrCat("malformed frame: ", status.message()), std::nullopt, true);
}

void ServerLink::OnClosed(const absl::Status& status) {
  if (state_ == State::kStopped || state_ == State::kWaiting) return;
  // A beat answered by a reset: whoever is on the way has forgotten this connection.
  if (state_ == State::kReady && beat_sent_.has_value() && !status.ok()) {
    policy_->OnDead(beat_silence_);
  }
  Lose(status.ok() ? "the server closed the connection" : status.message(), std::nullopt, false);
}

void ServerLink::OnAwake() {
  if (state_ != State::kReady || beat_sent_.has_value()) return;
  const absl::Duration early = interval_ - std::min(interval_, policy_->earliest());
  if (clock_->Boottime() + early >= next_beat()) SendBeat();
}

void ServerLink::OnResumed() {
  if (state_ != State::kReady) return;
  if (!beat_sent_.has_value()) SendBeat();
  in_doubt_ = true;
}

void ServerLink::OnNetworkChanged(bool must_reconnect) {
  if (state_ == State::kStopped) return;
  backoff_.Reset();
  budget_.Reset(clock_->Boottime(), kReconnectBudgetReset);
  switch (state_) {
    case State::kStopped:
      return;
    case State::kWaiting:
      // What a server asked for holds on every network.
      if (!asked_to_wait_) Connect();
      return;
    case State::kReady:
      if (!must_reconnect) return;
      break;
    case State::kConnecting:
    case State::kLoggingIn:
      break;
  }
  // Whether a NAT of the network before had forgotten the connection nobody will know; and the
  // server is not to blame.
  const size_t address = next_address_;
  const std::string redirect = redirect_;
  Lose("the network changed", absl::ZeroDuration(), true);
  next_address_ = address;
  redirect_ = redirect;
  Connect();
}

void ServerLink::OnNetworkNamed() {
  // The next session asks anyway.
  if (state_ != State::kReady) return;
  policy_->OnNetworkNamed();
  interval_ = std::min(promised_, policy_->interval());
  ReportNetwork();
}

void ServerLink::OnEnrolled() {
  if (state_ != State::kWaiting) return;
  backoff_.Reset();
  budget_.Reset(clock_->Boottime(), kReconnectBudgetReset);
  Connect();
}

void ServerLink::OnDeadline() {
  const std::optional<MonotonicTime> due = deadline();
  const MonotonicTime now = clock_->Boottime();
  if (!due.has_value() || now < *due) return;
  switch (state_) {
    case State::kStopped:
      return;
    case State::kWaiting:
      return Connect();
    case State::kConnecting:
      return Lose("connecting took too long", std::nullopt, true);
    case State::kLoggingIn:
      return Lose("the login was not answered", std::nullopt, true);
    case State::kReady:
      if (!beat_sent_.has_value()) return SendBeat();
      return OnBeatOverdue();
  }
}

// Short intervals are for networks that die quickly: there is no sense in waiting longer for an
// answer than for the next beat. And after a suspend one wants to know.
absl::Duration ServerLink::probe_timeout() const {
  if (in_doubt_) return kProbeAckTimeout;
  return std::clamp<absl::Duration>(interval_, kProbeAckTimeout, kHeartbeatAckTimeout);
}

void ServerLink::OnBeatOverdue() {
  const std::optional<bool> received = owner_->PeerReceivedAll();
  const bool gave_it_time = clock_->Boottime() >= silence_began() + kHeartbeatAckTimeout;
  if (received == false || (gave_it_time && received != true)) {
    policy_->OnDead(beat_silence_);
    return Lose("a heartbeat was not answered", std::nullopt, true);
  }
  if (gave_it_time) {
    // The path carried the beat there and the acknowledgement back: it survived the silence, and
    // learns nothing bad from a server that hangs.
    policy_->OnAlive(beat_silence_);
    return Lose("the server receives heartbeats and does not answer", std::nullopt, true);
  }
  // A slow server, or nobody can tell: as long as it takes.
  received_ = true;
}

std::optional<MonotonicTime> ServerLink::deadline() const {
  switch (state_) {
    case State::kStopped:
      return std::nullopt;
    case State::kWaiting:
    case State::kConnecting:
    case State::kLoggingIn:
      return deadline_;
    case State::kReady:
      // Whatever comes proves that the path is alive, not only the answer itself.
      if (beat_sent_.has_value()) {
        return silence_began() + (received_ ? kHeartbeatAckTimeout : probe_timeout());
      }
      return next_beat();
  }
  return std::nullopt;
}

// An exchange, that is something received and something sent, is as good as a heartbeat. Only
// received would not keep our promise to the server; only sent would not notice a path that
// swallows everything.
MonotonicTime ServerLink::next_beat() const {
  return std::min(last_received_, last_sent_) + interval_;
}

bool ServerLink::OnFrameBytes(absl::string_view body) {
  if (body.empty()) {
    if (state_ != State::kReady || !beat_sent_.has_value()) return true;
    beat_sent_.reset();
    policy_->OnAlive(beat_silence_);
    interval_ = std::min(promised_, policy_->interval());
    ReportNetwork();
    owner_->OnBeatAnswered();
    if (state_ == State::kReady && std::exchange(beat_again_, false)) SendBeat();
    return state_ == State::kReady;
  }
  ConnectorFrame frame;
  if (!frame.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    Lose("a frame is no protobuf message", std::nullopt, true);
    return false;
  }
  switch (frame.body_case()) {
    case ConnectorFrame::kGoAway:
      OnGoAway(frame.go_away());
      return false;
    case ConnectorFrame::kWelcome:
      if (state_ == State::kReady) {
        Lose("a second Welcome", std::nullopt, true);
      } else {
        OnWelcome(frame.welcome());
      }
      break;
    case ConnectorFrame::BODY_NOT_SET:
      break;  // From a later version of the protocol.
    default:
      if (state_ != State::kReady) {
        Lose("a frame before Welcome", std::nullopt, true);
      } else if (frame.body_case() == ConnectorFrame::kHeartbeatBounds) {
        TakeBounds(frame.heartbeat_bounds());
      } else if (absl::Status s = owner_->OnFrame(std::move(frame)); !s.ok()) {
        Abandon(s);
      }
  }
  return state_ == State::kLoggingIn || state_ == State::kReady;
}

void ServerLink::OnWelcome(const device::v1::Welcome& welcome) {
  if (welcome.mailbox_id().size() != MailboxId::kSize) {
    return Lose("the Welcome names no mailbox", std::nullopt, true);
  }
  policy_->OnReady();
  if (welcome.has_heartbeat_bounds()) TakeBounds(welcome.heartbeat_bounds());
  interval_ = std::min(promised_, policy_->interval());
  ready_since_ = clock_->Boottime();
  beat_sent_.reset();
  beat_again_ = false;
  yields_ = false;
  MoveTo(State::kReady);
  if (absl::Status s = owner_->OnWelcome(welcome); !s.ok()) return Abandon(s);
  ReportNetwork();
}

void ServerLink::ReportNetwork() {
  const std::optional<NetworkReport> news = policy_->TakeReport();
  if (!news.has_value()) return;
  device::v1::AgentFrame report;
  *report.mutable_network_report() = ToProto(*news);
  Send(report);
}

void ServerLink::OnGoAway(const GoAway& go_away) {
  const absl::Duration wait =
      std::min<absl::Duration>(absl::Milliseconds(go_away.retry_after_ms()), kMaxGoAwayWait);
  std::string why = absl::StrCat("GoAway(", ReasonName(go_away.reason()), ")");
  if (!go_away.detail().empty()) absl::StrAppend(&why, ": ", go_away.detail());
  if (!go_away.address().empty()) redirect_ = go_away.address();
  const bool was_ready = state_ == State::kReady;
  if (go_away.reason() == GoAway::REPLACED) {
    owner_->OnLoginNumberSeen(go_away.winning_login_number());
    // In a session: somebody else has our key. At login: our number was behind, because our disk
    // lost it, and the next one is not.
    if (was_ready) return YieldToStranger(wait);
    if (yields_) {
      return Lose(kStrangerHasOurKey, wait > absl::ZeroDuration() ? wait : kReplacedWait, true);
    }
  }
  if (const absl::string_view to_do = TurnedAway(go_away.reason()); !to_do.empty()) {
    absl::StrAppend(&why, "; ", to_do);
    return Lose(why, kTurnedAwayWait, true);
  }
  Lose(why, wait > absl::ZeroDuration() ? std::make_optional(wait) : std::nullopt, true);
}

void ServerLink::YieldToStranger(absl::Duration wait) {
  LogWarning("device_key_used_elsewhere", {{"server", address_}, {"what", kStrangerHasOurKey}});
  // A server that names no wait doesn't know of logins that yield: this one would take the mailbox
  // back.
  if (wait == absl::ZeroDuration()) return Lose(kStrangerHasOurKey, kReplacedWait, true);
  yields_ = true;
  claim_at_ = clock_->Boottime() + kReplacedWait;
  Lose(kStrangerHasOurKey, wait, true);
}

void ServerLink::TakeBounds(const device::v1::HeartbeatBounds& bounds) {
  const absl::Duration min = absl::Milliseconds(bounds.min_interval_ms());
  const absl::Duration max = absl::Milliseconds(bounds.max_interval_ms());
  if (min <= absl::ZeroDuration() || max < min) {
    LogWarning("bad_heartbeat_bounds",
               {{"min_ms", bounds.min_interval_ms()}, {"max_ms", bounds.max_interval_ms()}});
    return;
  }
  policy_->SetBounds({min, max, absl::Milliseconds(bounds.hint_interval_ms())});
  // A longer one has to wait for the next login: this session's promise stands.
  interval_ = std::min(promised_, policy_->interval());
}

// --- The owner's wishes. ---

void ServerLink::Send(const device::v1::AgentFrame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  Write(bytes);
}

void ServerLink::Beat() {
  if (beat_sent_.has_value()) {
    beat_again_ = true;
  } else {
    SendBeat();
  }
}

void ServerLink::Abandon(const absl::Status& why) {
  if (state_ == State::kStopped || state_ == State::kWaiting) return;
  Lose(why.message(), std::nullopt, true);
}

// --- Steps. ---

void ServerLink::Connect() {
  const MonotonicTime now = clock_->Boottime();
  if (!budget_.Take(now)) {
    deadline_ = budget_.NextToken();
    LogInfo("reconnects_too_often", {{"retry_in_ms", absl::ToInt64Milliseconds(deadline_ - now)}});
    return;
  }
  address_ = redirect_.empty() ? addresses_[next_address_] : redirect_;
  decoder_ = net::FrameDecoder(kMaxFrameBytes);
  deadline_ = now + kConnectTimeout;
  MoveTo(State::kConnecting);
  owner_->Dial(address_);
}

void ServerLink::Lose(absl::string_view why, std::optional<absl::Duration> wait, bool hang_up) {
  const State before = state_;
  const MonotonicTime now = clock_->Boottime();
  last_error_ = std::string(why);
  if (before == State::kReady) {
    if (now - ready_since_ >= kStableSession) backoff_.Reset();
  } else if (address_ == redirect_) {
    redirect_.clear();
  } else {
    next_address_ = (next_address_ + 1) % addresses_.size();
  }
  const absl::Duration delay = wait.has_value() ? *wait : backoff_.Next();
  deadline_ = now + delay;
  asked_to_wait_ = delay > absl::ZeroDuration() && wait.has_value();
  MoveTo(State::kWaiting);
  LogInfo("server_connection_lost",
          {{"server", address_}, {"why", why}, {"retry_in_ms", absl::ToInt64Milliseconds(delay)}});
  if (hang_up) owner_->HangUp();
  if (before == State::kReady) owner_->OnSessionEnd();
}

void ServerLink::SendBeat() {
  const MonotonicTime now = clock_->Boottime();
  beat_silence_ = now - std::min(last_received_, last_sent_);
  beat_sent_ = now;
  in_doubt_ = received_ = false;
  ++counters_.heartbeats_sent;
  std::string bytes;
  net::AppendFrame("", &bytes);
  Write(bytes);
  owner_->OnBeat();
}

void ServerLink::Write(absl::string_view bytes) {
  last_sent_ = clock_->Boottime();
  counters_.bytes_sent += bytes.size();
  owner_->Write(bytes);
}

void ServerLink::MoveTo(State state) {
  assert(CanMove(state_, state));
  state_ = state;
}

}  // namespace bellwire::agent
