#include "connector/doors/bellwire/device_connection.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "absl/random/distributions.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "connector/doors/bellwire/frames.h"
#include "connector/doors/bellwire/login.h"

namespace bellwire::connector {

using device::v1::ConnectorFrame;
using device::v1::GoAway;
using internal::v1::Envelope;
using internal::v1::HandedOverRequest;

namespace {

constexpr absl::string_view kHeartbeat("\0", 1);
// How long the loser of two agents with one key waits until it asks whether the mailbox is free:
// often enough that nobody misses the other for long, and seldom enough for an agent's
// kReconnectBurst within kReplacedWait.
constexpr absl::Duration kReplacedRetryAfterMin = absl::Seconds(30);
constexpr absl::Duration kReplacedRetryAfterMax = absl::Seconds(60);

constexpr absl::string_view kStaleLogin = "STALE_LOGIN";
constexpr absl::string_view kLoginNumberTooGreat = "LOGIN_NUMBER_TOO_GREAT";

}  // namespace

// Errors that pass: the registry is away or full. Anything else says that it refuses what we ask
// for.
bool DeviceConnection::IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
      return false;
    default:
      return true;
  }
}

uint64_t DeviceConnection::WinningLoginNumber(const absl::Status& status) {
  uint64_t number = 0;
  const std::optional<std::string> text = ErrorMetadata(status, "winning_login_number");
  if (text.has_value() && !absl::SimpleAtoi(*text, &number)) number = 0;
  return number;
}

DeviceConnection::DeviceConnection(ConnectionContext* context, uint64_t session_id,
                                   ConnectionHost* host, absl::Duration silent_for)
    : context_(context),
      host_(host),
      session_id_(session_id),
      decoder_(kMaxPreLoginBytes),
      window_(context->bytes_in_flight),
      state_deadline_(Now() + (context->login_timeout - silent_for)) {
  Rearm();
}

// --- The machine. ---

void DeviceConnection::MoveTo(ConnectionState next) {
  assert(CanMove(state_, next));
  state_ = next;
}

void DeviceConnection::End(CloseReason reason, absl::string_view detail) {
  if (state_ == ConnectionState::kClosed) return;
  const ConnectionState ended_in = state_;
  if (IsBound() && reason != CloseReason::kShutdown) {
    // Last chance for what the device acknowledged: without a repetition, because what is lost here
    // is only sent again, and the agent knows it.
    retry_deadline_ = kNever;
    ack_told_ = false;
    app_acks_ready_ = static_cast<uint16_t>(app_acks_.size());
    TellRegistry();
    for (const uint64_t seq : window_.UnackedNowOrNever()) {
      TellOutcome(seq, HandedOverRequest::NOT_TAKEN);
    }
    if (reason != CloseReason::kReplaced && reason != CloseReason::kRevoked) {
      internal::v1::UnbindRequest unbind;
      unbind.set_device_id(std::string(device_id_.bytes()));
      *unbind.mutable_route() = MyRoute();
      host_->Unbind(std::move(unbind));
    }
  }
  MoveTo(ConnectionState::kClosed);
  host_->Close(CloseRecord{ended_in, reason, std::string(detail)});
}

void DeviceConnection::EndWithGoAway(GoAway::Reason away, CloseReason reason,
                                     absl::string_view detail) {
  // Before TLS is done nobody can read it.
  if (state_ != ConnectionState::kHandshaking) {
    ConnectorFrame frame;
    frame.mutable_go_away()->set_reason(away);
    frame.mutable_go_away()->set_detail(std::string(detail));
    Send(frame);
  }
  End(reason, detail);
}

void DeviceConnection::ProtocolError(absl::string_view detail) {
  EndWithGoAway(GoAway::PROTOCOL_ERROR, CloseReason::kProtocolError, detail);
}

void DeviceConnection::LoginNumberTooGreat(const absl::Status& status) {
  ConnectorFrame frame;
  frame.mutable_go_away()->set_reason(GoAway::PROTOCOL_ERROR);
  frame.mutable_go_away()->set_detail(std::string(status.message()));
  frame.mutable_go_away()->set_winning_login_number(WinningLoginNumber(status));
  Send(frame);
  End(CloseReason::kProtocolError, status.message());
}

void DeviceConnection::Replaced(uint64_t winning_login_number) {
  ConnectorFrame frame;
  frame.mutable_go_away()->set_reason(GoAway::REPLACED);
  frame.mutable_go_away()->set_winning_login_number(winning_login_number);
  // One whose number is behind may come back at once, with a greater one.
  if (IsBound() || yields_) {
    frame.mutable_go_away()->set_retry_after_ms(
        RandomMs(kReplacedRetryAfterMin, kReplacedRetryAfterMax));
  }
  Send(frame);
  End(CloseReason::kReplaced, absl::StrCat("by login number ", winning_login_number));
}

void DeviceConnection::SendAway(GoAway::Reason away, CloseReason reason, absl::string_view detail) {
  // Before TLS is done nobody can read it.
  if (state_ != ConnectionState::kHandshaking) {
    ConnectorFrame frame;
    frame.mutable_go_away()->set_reason(away);
    frame.mutable_go_away()->set_retry_after_ms(
        RandomMs(kOverloadedRetryAfterMin, kOverloadedRetryAfterMax));
    Send(frame);
  }
  End(reason, detail);
}

void DeviceConnection::Overloaded(absl::string_view detail) {
  SendAway(GoAway::OVERLOADED, CloseReason::kOverloaded, detail);
}

void DeviceConnection::LoginTimedOut() {
  const bool in_tls = state_ == ConnectionState::kHandshaking;
  SendAway(GoAway::LOGIN_TIMEOUT, CloseReason::kLoginTimeout,
           in_tls ? "TLS did not complete" : "no Login in time");
}

// --- The transport. ---

void DeviceConnection::OnOpen() {
  if (state_ != ConnectionState::kHandshaking) return;
  MoveTo(ConnectionState::kAwaitingLogin);
}

void DeviceConnection::OnData(absl::string_view data) {
  if (state_ == ConnectionState::kClosed) return;
  if (state_ == ConnectionState::kActive) ResetSilence();
  if (state_ == ConnectionState::kAwaitingLogin && ++pre_login_pieces_ > kMaxPreLoginPieces) {
    return ProtocolError("the Login came in too many pieces");
  }
  const absl::Status framing = decoder_.Feed(data, [this](absl::string_view body) {
    OnFrame(body);
    return state_ != ConnectionState::kClosed;
  });
  if (!framing.ok()) ProtocolError(framing.message());
}

void DeviceConnection::OnTransportClosed(const absl::Status& status) {
  if (status.ok()) {
    End(CloseReason::kPeerClosed, "");
  } else {
    End(CloseReason::kTransportError, status.message());
  }
}

void DeviceConnection::Send(absl::string_view frames) {
  if (state_ == ConnectionState::kClosed || frames.empty()) return;
  host_->Send(frames);
  if (host_->unsent_bytes() > kMaxSessionWriteBytes) {
    End(CloseReason::kWriteOverflow, "the peer does not read");
  }
}

void DeviceConnection::Send(const ConnectorFrame& frame) {
  std::string bytes;
  AppendFrame(frame, &bytes);
  Send(bytes);
}

// --- Frames. ---

void DeviceConnection::OnFrame(absl::string_view body) {
  device::v1::AgentFrame frame;
  if (!body.empty() && !frame.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return ProtocolError("a frame is no AgentFrame");
  }
  const FrameKind kind = body.empty() ? FrameKind::kHeartbeat : KindOf(frame);
  switch (RuleFor(state_, kind)) {
    case FrameRule::kIgnore:
      return;
    case FrameRule::kViolation:
      return ProtocolError(absl::StrCat(Name(kind), " in ", Name(state_)));
    case FrameRule::kHandle:
      break;
  }
  switch (kind) {
    case FrameKind::kHeartbeat:
      return OnHeartbeat();
    case FrameKind::kLogin:
      return OnLogin(frame.login());
    case FrameKind::kAck:
      return OnAck(frame.ack());
    case FrameKind::kAppAck:
      return OnAppAck(frame.app_ack());
    case FrameKind::kRegisterApp:
      return OnRegisterApp(frame.register_app());
    case FrameKind::kRemoveApp:
      return OnRemoveApp(frame.remove_app());
    case FrameKind::kActivityChange:
      return OnActivityChange(frame.activity_change());
    case FrameKind::kNetworkReport:
      return OnNetworkReport(frame.network_report());
    case FrameKind::kTopicChange:
      return OnTopicChange(frame.topic_change());
    case FrameKind::kUnknown:
      return;
  }
}

void DeviceConnection::OnHeartbeat() {
  if (context_->counters != nullptr) context_->counters->heartbeats.Add();
  order_.OpenForNormal();
  AnswerHeartbeat();
  PullIfWanted();
}

void DeviceConnection::AnswerHeartbeat() {
  if (app_acks_.empty()) return Send(kHeartbeat);
  // No frame answers an AppAck; this does. So the agent may forget what it told, and a crash of
  // ours leaves no message without its end.
  app_acks_before_heartbeat_ = static_cast<uint16_t>(app_acks_.size());
  if (unanswered_heartbeats_ < UINT8_MAX) ++unanswered_heartbeats_;
  LimitAppAcks();
}

void DeviceConnection::AnswerOldHeartbeats(size_t app_acks_taken) {
  app_acks_before_heartbeat_ -=
      static_cast<uint16_t>(std::min<size_t>(app_acks_before_heartbeat_, app_acks_taken));
  if (app_acks_before_heartbeat_ > 0 || unanswered_heartbeats_ == 0) return;
  Send(std::string(std::exchange(unanswered_heartbeats_, 0), kHeartbeat[0]));
}

void DeviceConnection::LimitAppAcks() {
  if (!IsBound()) return;
  const bool full = app_acks_.size() >= kPauseAtAppAcks;
  if (full && !paused_) host_->PauseReading();
  if (!full && paused_) host_->ResumeReading();
  paused_ = full;
  if (!paused_ && unanswered_heartbeats_ == 0) {
    app_ack_deadline_ = kNever;
  } else if (app_ack_deadline_ == kNever) {
    app_ack_deadline_ = Now() + kMaxHeartbeatDelay;
    Rearm();
  }
}

void DeviceConnection::OnLogin(const device::v1::Login& login) {
  const absl::StatusOr<CheckedLogin> checked = CheckLogin(
      login, host_->tls_exporter(), host_->resumed_ticket_data(), context_->heartbeat_range);
  if (!checked.ok()) {
    if (checked.status().code() == absl::StatusCode::kUnauthenticated) {
      return EndWithGoAway(GoAway::LOGIN_REFUSED, CloseReason::kLoginRefused,
                           checked.status().message());
    }
    return ProtocolError(checked.status().message());
  }
  device_id_ = checked->device_id;
  login_number_ = checked->login_number;
  yields_ = checked->yields;
  heartbeat_interval_ms_ =
      static_cast<uint32_t>(absl::ToInt64Milliseconds(checked->heartbeat_interval));
  order_.SetActivity(checked->activity);
  // The radio is up for the login.
  order_.OpenForNormal();
  decoder_.set_max_frame_bytes(kMaxFrameBytes);
  MoveTo(ConnectionState::kBinding);
  state_deadline_ = Now() + kBindTimeout;
  Rearm();

  internal::v1::BindRequest bind;
  bind.set_device_id(std::string(device_id_.bytes()));
  *bind.mutable_route() = MyRoute();
  bind.set_max_bytes(kSessionWindowBytes);
  bind.set_max_messages(kSessionWindowMessages);
  if (checked->network.has_value()) *bind.mutable_network() = *checked->network;
  bind.set_mailbox_id(checked->mailbox_id);
  bind.set_seen_up_to_seq(checked->seen_up_to_seq);
  bind.set_yields(checked->yields);
  bind.set_enrolment_token(checked->enrolment_token);
  order_.open().AddTo(&bind);
  host_->Bind(std::move(bind));
}

void DeviceConnection::OnNetworkReport(const device::v1::NetworkReport& report) {
  absl::StatusOr<internal::v1::NetworkReport> checked = CheckNetworkReport(report);
  if (!checked.ok()) return ProtocolError(checked.status().message());
  // Beyond the bound nothing is lost: the next login tells it again.
  if (network_reports_ >= kMaxNetworkReports) return;
  ++network_reports_;
  internal::v1::ReportNetworkRequest request;
  request.set_device_id(std::string(device_id_.bytes()));
  *request.mutable_network() = *std::move(checked);
  host_->ReportNetwork(std::move(request));
}

void DeviceConnection::OnActivityChange(const device::v1::ActivityChange& change) {
  order_.SetActivity(change.activity());
  PullIfWanted();
}

void DeviceConnection::OnAck(const device::v1::Ack& ack) {
  if (static_cast<size_t>(ack.ranges_size()) > kMaxAckRangesPerFrame) {
    return ProtocolError("an Ack has too many ranges");
  }
  for (const device::v1::SeqRange& range : ack.ranges()) {
    if (range.first() == 0 || range.first() > range.last()) {
      return ProtocolError("an Ack has an empty range");
    }
  }
  window_.Acknowledge(ack, [this](uint64_t seq, bool now_or_never) {
    if (now_or_never) TellOutcome(seq, HandedOverRequest::DEVICE_ACKED);
  });
  // Acknowledgements that come together go to the registry together.
  if (window_.HasNews() && !flush_asked_) {
    flush_asked_ = true;
    host_->FlushSoon();
  }
  PullIfWanted();
}

void DeviceConnection::OnAppAck(const device::v1::AppAck& app_ack) {
  if (static_cast<size_t>(app_ack.items_size()) > kMaxAppAcksPerFrame) {
    return ProtocolError("an AppAck has too many items");
  }
  for (const device::v1::AppAck::Item& item : app_ack.items()) {
    if (item.message_id().size() != MessageId::kSize) {
      return ProtocolError("an AppAck has a bad message_id");
    }
  }
  if (app_acks_.size() + static_cast<size_t>(app_ack.items_size()) > kMaxPendingAppAcks) {
    return Overloaded("too many app acknowledgements wait for the registry");
  }
  for (const device::v1::AppAck::Item& item : app_ack.items()) {
    internal::v1::AppAckRequest::Item& pending = app_acks_.emplace_back();
    pending.set_message_id(item.message_id());
    pending.set_registration_id(item.registration_id());
    pending.set_step(StepOf(item.outcome()));
  }
  LimitAppAcks();
  if (!app_acks_.empty() && !flush_asked_) {
    flush_asked_ = true;
    host_->FlushSoon();
  }
}

// --- The registry. ---

internal::v1::Route DeviceConnection::MyRoute() const {
  internal::v1::Route route;
  route.set_connector_address(context_->connector_address);
  route.set_connector_incarnation(context_->connector_incarnation);
  route.set_session_id(session_id_);
  route.set_login_number(login_number_);
  return route;
}

void DeviceConnection::OnBound(absl::StatusOr<internal::v1::BindResponse> response) {
  if (state_ != ConnectionState::kBinding) return;
  if (!response.ok()) {
    if (ErrorReason(response.status()) == kStaleLogin) {
      return Replaced(WinningLoginNumber(response.status()));
    }
    if (ErrorReason(response.status()) == kLoginNumberTooGreat) {
      return LoginNumberTooGreat(response.status());
    }
    if (EndIfRevoked(response.status())) return;
    if (EndIfNotTakenIn(response.status())) return;
    return Overloaded(absl::StrCat("no Bind: ", response.status().message()));
  }
  MoveTo(ConnectionState::kActive);
  ResetSilence();

  ConnectorFrame frame;
  device::v1::Welcome* welcome = frame.mutable_welcome();
  welcome->set_mailbox_id(response->mailbox_id());
  welcome->set_settled_seq(response->settled_seq());
  welcome->set_server_time_ms(WallNowMs(*context_->clock));
  welcome->set_window_bytes(kSessionWindowBytes);
  welcome->set_acked_up_to_seq(response->acked_up_to_seq());
  welcome->set_registrations_tag(response->registrations_tag());
  registrations_tag_ = response->registrations_tag();
  epoch_ = response->epoch();
  *welcome->mutable_heartbeat_bounds() = Bounds(response->hint_interval_ms());
  std::string frames;
  AppendFrame(frame, &frames);

  for (const internal::v1::Recall& recall : response->recalls()) AppendRecall(recall, &frames);

  order_.Start(response->settled_seq(), response->page(),
               [&](const Envelope& message) { return TransmitInTurn(message, &frames); });
  host_->SessionStarted(device_id_, login_number_);
  host_->SendTicket(device_id_.bytes());
  Send(frames);
  Rearm();
  PullIfWanted();
}

void DeviceConnection::OnFlush() {
  flush_asked_ = false;
  TellRegistry();
}

// One call of each kind at a time: what comes meanwhile goes with the next one.
void DeviceConnection::TellRegistry() {
  if (!IsBound() || retry_deadline_ != kNever) return;
  if (!ack_told_ && window_.HasNews()) {
    internal::v1::AckRequest ack;
    ack.set_device_id(std::string(device_id_.bytes()));
    *ack.mutable_route() = MyRoute();
    window_.TellRegistry(ack.mutable_items());
    ack_told_ = true;
    app_acks_before_ack_ = static_cast<uint16_t>(app_acks_.size());
    host_->Ack(std::move(ack));
  }
  // An app's word counts for what the device has acknowledged: the registry hears of that first.
  if (!ack_told_) app_acks_ready_ = static_cast<uint16_t>(app_acks_.size());
  if (app_acks_told_ == 0 && app_acks_ready_ > 0) {
    internal::v1::AppAckRequest app_ack;
    app_ack.set_device_id(std::string(device_id_.bytes()));
    app_acks_told_ = app_acks_ready_;
    for (size_t i = 0; i < app_acks_told_; ++i) *app_ack.add_items() = app_acks_.begin()[i];
    host_->AppAck(std::move(app_ack));
  }
}

void DeviceConnection::OnAckTaken(const absl::Status& status) {
  if (!IsBound()) return;
  ack_told_ = false;
  if (status.ok()) app_acks_ready_ = std::max(app_acks_ready_, app_acks_before_ack_);
  if (ErrorReason(status) == kStaleLogin) {
    // The acknowledgements count all the same; the session is over.
    window_.RegistryTook();
    return Replaced(WinningLoginNumber(status));
  }
  if (EndIfRevoked(status)) return;
  if (!status.ok()) {
    if (!IsTransient(status)) return Overloaded(absl::StrCat("no Ack: ", status.message()));
    window_.RegistryFailed();
    return RegistryFailed();
  }
  window_.RegistryTook();
  RegistryTook();
}

void DeviceConnection::OnAppAckTaken(const absl::Status& status) {
  if (!IsBound()) return;
  const uint16_t told = std::exchange(app_acks_told_, uint16_t{0});
  if (!status.ok()) {
    if (!IsTransient(status)) return Overloaded(absl::StrCat("no AppAck: ", status.message()));
    return RegistryFailed();
  }
  app_acks_.erase(app_acks_.begin(), app_acks_.begin() + told);
  app_acks_ready_ -= told;
  app_acks_before_ack_ -= std::min(app_acks_before_ack_, told);
  AnswerOldHeartbeats(told);
  LimitAppAcks();
  RegistryTook();
}

void DeviceConnection::RegistryTook() {
  registry_failures_ = 0;
  TellRegistry();
  PullIfWanted();
  EndDrainIfDone();
}

void DeviceConnection::RegistryFailed() {
  if (retry_deadline_ != kNever) return;
  const absl::Duration ceiling = std::min(
      kRegistryRetryMax, kRegistryRetryBase * (1 << std::min<int>(registry_failures_, 10)));
  if (registry_failures_ < UINT8_MAX) ++registry_failures_;
  retry_deadline_ = Now() + absl::Milliseconds(RandomMs(ceiling / 2, ceiling));
  Rearm();
}

device::v1::HeartbeatBounds DeviceConnection::Bounds(uint32_t hint_interval_ms) const {
  device::v1::HeartbeatBounds bounds;
  bounds.set_min_interval_ms(context_->heartbeat_range.min_ms());
  bounds.set_max_interval_ms(context_->heartbeat_range.max_ms());
  bounds.set_hint_interval_ms(hint_interval_ms);
  return bounds;
}

void DeviceConnection::OnNetworkHint(uint32_t hint_interval_ms) {
  // Also if there is none: the agent may have another network's.
  if (state_ != ConnectionState::kActive) return;
  ConnectorFrame frame;
  *frame.mutable_heartbeat_bounds() = Bounds(hint_interval_ms);
  Send(frame);
}

// --- The server. ---

void DeviceConnection::Drain() {
  switch (state_) {
    case ConnectionState::kDraining:
    case ConnectionState::kClosed:
      return;
    case ConnectionState::kHandshaking:
      return End(CloseReason::kDrained, "");
    case ConnectionState::kAwaitingLogin:
    case ConnectionState::kBinding:
    case ConnectionState::kActive:
      break;
  }
  ConnectorFrame frame;
  frame.mutable_go_away()->set_reason(GoAway::DRAINING);
  frame.mutable_go_away()->set_retry_after_ms(RandomMs(kDrainRetryAfterMin, kDrainRetryAfterMax));
  if (const auto& others = context_->drain_to; !others.empty()) {
    frame.mutable_go_away()->set_address(
        others[absl::Uniform<size_t>(context_->random, 0, others.size())]);
  }
  Send(frame);
  if (state_ != ConnectionState::kActive) return End(CloseReason::kDrained, "");
  MoveTo(ConnectionState::kDraining);
  state_deadline_ = Now() + kGoAwayLinger;
  Rearm();
  TellRegistry();
  EndDrainIfDone();
}

void DeviceConnection::EndDrainIfDone() {
  if (state_ != ConnectionState::kDraining) return;
  if (window_.empty() && app_acks_.empty() && pending_app_requests_ == 0) {
    End(CloseReason::kDrained, "");
  }
}

void DeviceConnection::Shutdown() { End(CloseReason::kShutdown, ""); }

// --- Time. ---

void DeviceConnection::OnTimer() {
  armed_for_ = kNever;
  if (state_ == ConnectionState::kClosed) return;
  const MonotonicTime now = Now();
  if (now >= state_deadline_) {
    switch (state_) {
      case ConnectionState::kHandshaking:
      case ConnectionState::kAwaitingLogin:
        return LoginTimedOut();
      case ConnectionState::kBinding:
        return Overloaded("no Bind: no answer in time");
      case ConnectionState::kActive:
        return EndWithGoAway(GoAway::SILENT, CloseReason::kSilent, "");
      case ConnectionState::kDraining:
        return End(CloseReason::kDrained, "not everything was acknowledged");
      case ConnectionState::kClosed:
        return;
    }
  }
  if (now >= app_ack_deadline_) return Overloaded("no AppAck: not taken in time");
  if (now >= retry_deadline_) {
    retry_deadline_ = kNever;
    Resume();
    TellRegistry();
  }
  if (now >= normal_deadline_) {
    normal_deadline_ = kNever;
    order_.OpenForNormal();
  }
  if (now >= report_deadline_) {
    internal::v1::ReportSentRequest report;
    const bool more = window_.ReportSlow(report.mutable_items());
    report_deadline_ = more ? now + kReportSentAfter : kNever;
    if (report.items_size() > 0) {
      report.set_device_id(std::string(device_id_.bytes()));
      host_->ReportSent(std::move(report));
    }
  }
  PullIfWanted();
  Rearm();
}

void DeviceConnection::OnLoginOverdue() {
  assert(state_ == ConnectionState::kHandshaking || state_ == ConnectionState::kAwaitingLogin);
  Overloaded("others wait for its place");
}

void DeviceConnection::ResetSilence() {
  state_deadline_ = Now() + absl::Milliseconds(heartbeat_interval_ms_) + kSilenceGrace;
}

void DeviceConnection::Rearm() {
  const MonotonicTime next = std::min({state_deadline_, report_deadline_, retry_deadline_,
                                       app_ack_deadline_, normal_deadline_});
  if (next >= armed_for_) return;
  armed_for_ = next;
  host_->ArmTimer(next);
}

uint32_t DeviceConnection::RandomMs(absl::Duration min, absl::Duration max) {
  return absl::Uniform(absl::IntervalClosed, context_->random,
                       static_cast<uint32_t>(absl::ToInt64Milliseconds(min)),
                       static_cast<uint32_t>(absl::ToInt64Milliseconds(max)));
}

}  // namespace bellwire::connector
