#include "device-agent/core/agent_core.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/version.h"

namespace bellwire::agent {
namespace {

using device::v1::ConnectorFrame;

// How long apps' acknowledgements wait for a disk that did not take them.
constexpr absl::Duration kDiskRetry = absl::Seconds(1);
// A phone's clock that is this far off is worth a line: people compare its times with the server's.
constexpr absl::Duration kClockSkewWorthALine = absl::Minutes(5);
// No phone logs in so often: a number further ahead is a mistake, and believing it would use up the
// numbers there are.
constexpr uint64_t kMaxLoginNumberJump = uint64_t{1} << 32;

// What the server says of a payload. A server takes less than a kilobyte of a sender.
constexpr size_t kMaxContentBytes = 4096;
static_assert(kMaxPayloadBytes + kMaxContentBytes + kMaxSubscriptionNameBytes + 256 <
                  kMaxFrameBytes,
              "whatever was taken fits in a frame to its app");

// Fails only without memory.
std::string SubscriptionSecret(const DeviceKey& key) {
  absl::StatusOr<std::string> secret = key.DeriveSecret("bellwire subscription names v1");
  if (secret.ok()) return *std::move(secret);
  LogError("no_subscription_secret", {{"error", secret.status().message()}});
  std::abort();
}

absl::Status CheckPush(const device::v1::Push& push) {
  if (push.seq() == 0 || push.registration_id() == 0 ||
      push.message_id().size() != MessageId::kSize || push.payload().size() > kMaxPayloadBytes ||
      push.content().ByteSizeLong() > kMaxContentBytes ||
      push.collapse_key().size() > kMaxCollapseKeyBytes) {
    return absl::InvalidArgumentError("malformed Push");
  }
  return absl::OkStatus();
}

absl::Status CheckGap(const device::v1::Gap& gap) {
  if (gap.seq() == 0 || gap.registration_id() == 0) {
    return absl::InvalidArgumentError("malformed Gap");
  }
  return absl::OkStatus();
}

absl::Status CheckRecall(const device::v1::Recall& recall) {
  if (recall.registration_id() == 0 || recall.message_id().size() != MessageId::kSize) {
    return absl::InvalidArgumentError("malformed Recall");
  }
  return absl::OkStatus();
}

}  // namespace

AgentCore::AgentCore(net::EventLoop* loop, Inbox* inbox, const DeviceKey* key,
                     HeartbeatPolicy* heartbeat, absl::BitGenRef random, Options options)
    : loop_(loop),
      inbox_(inbox),
      key_(key),
      heartbeat_(heartbeat),
      options_(std::move(options)),
      timer_(loop->NewTimer([this] { OnTimer(); })),
      wakeup_timer_(options_.new_wakeup_timer ? options_.new_wakeup_timer([this] { OnTimer(); })
                                              : loop->NewTimer([this] { OnTimer(); })),
      suspend_(&loop->clock()),
      retry_timer_(loop->NewTimer([this] { Flush(); })),
      link_(options_.servers, &loop->clock(), heartbeat, random, this, options_.reconnect_max),
      outbox_(inbox, &link_),
      subscription_names_(SubscriptionSecret(*key)),
      registrar_(&loop->clock(), inbox, &subscription_names_, random, this),
      topics_(&loop->clock(), this),
      meter_(loop->clock().Boottime()),
      starter_(&loop->clock(), [this](const std::string& app_id) { return StartApp(app_id); }),
      hub_(loop, inbox, options_.agent_uid, this, options_.max_app_connections) {
  hub_.SetPolicy(std::move(options_.policy));
}

AgentCore::~AgentCore() { *alive_ = false; }

void AgentCore::Start() {
  link_.Start();
  StartAppsInArrears();
  ArmTimer();
}

void AgentCore::Stop() {
  Flush();
  link_.Stop();
  hub_.CloseAll();
  ArmTimer();
}

void AgentCore::AcceptApp(std::unique_ptr<net::Stream> stream, AppOwner who,
                          std::string executable) {
  CheckSuspend();
  hub_.Accept(std::move(stream), std::move(who), std::move(executable));
  link_.OnAwake();
  ArmTimer();
}

// --- The connection to the server. ---

void AgentCore::Dial(const std::string& address) {
  path_.reset();
  server_ = options_.dial(address);
  server_->SetDelegate(this);
}

void AgentCore::Write(absl::string_view bytes) { server_->Write(bytes); }

void AgentCore::HangUp() {
  if (server_ == nullptr) return;
  server_->Close();
  loop_->DeleteLater(std::move(server_));
}

void AgentCore::OnOpen() {
  if (options_.network != nullptr) {
    local_host_ = server_->local_host();
    path_ = options_.network->PathOf(local_host_);
  }
  link_.OnOpen(server_->tls_exporter());
  ArmTimer();
}

void AgentCore::OnData(absl::string_view data) {
  link_.OnData(data);
  ArmTimer();
  if (options_.on_wake) options_.on_wake();
}

void AgentCore::OnClosed(const absl::Status& status) {
  loop_->DeleteLater(std::move(server_));
  link_.OnClosed(status);
  ArmTimer();
}

void AgentCore::OnNetworkChanged() {
  CheckSuspend();
  const NetworkMonitor& network = *options_.network;
  const bool must_reconnect =
      path_.has_value() && MustReconnect(*path_, network.PathOf(local_host_));
  // Without a network there is nothing to come back to yet.
  if (must_reconnect || network.online()) link_.OnNetworkChanged(must_reconnect);
  ArmTimer();
}

void AgentCore::OnClockChanged() {
  CheckSuspend();
  if (absl::Status s = inbox_->KeepServerTime(); !s.ok()) {
    LogError("inbox_not_written", {{"error", s.message()}});
  }
  ArmTimer();
}

void AgentCore::CheckSuspend() {
  const absl::Duration slept = suspend_.Slept();
  if (slept < kSuspendWorthABeat) return;
  LogInfo("resumed", {{"slept_ms", absl::ToInt64Milliseconds(slept)}});
  link_.OnResumed();
}

std::optional<bool> AgentCore::PeerReceivedAll() {
  return server_ != nullptr ? server_->peer_received_all() : std::nullopt;
}

void AgentCore::OnTimer() {
  CheckSuspend();
  meter_.Note(loop_->clock().Boottime(), link_.counters());
  link_.OnDeadline();
  registrar_.OnDeadline();
  topics_.OnDeadline();
  if (const auto expiry = inbox_->NextExpiry();
      expiry.has_value() && *expiry <= inbox_->ServerNow()) {
    DropExpired();
    // While nobody uses the phone the radio is not turned on for it.
    if (told_activity_ == device::v1::ACTIVE) PumpOutbox();
  }
  ArmTimer();
  if (options_.on_wake) options_.on_wake();
}

void AgentCore::ArmTimer() {
  const Clock& clock = loop_->clock();
  absl::Duration wake_in = absl::InfiniteDuration();
  absl::Duration due_in = absl::InfiniteDuration();
  if (const auto due = link_.deadline()) wake_in = *due - clock.Boottime();
  if (const auto due = registrar_.deadline()) due_in = *due - clock.Monotonic();
  if (const auto due = topics_.deadline()) due_in = std::min(due_in, *due - clock.Monotonic());
  if (drop_again_at_.has_value()) {
    due_in = std::min(due_in, *drop_again_at_ - clock.Monotonic());
  } else if (const auto expiry = inbox_->NextExpiry()) {
    // Not worth waking a phone for either.
    due_in = std::min(due_in, *expiry - inbox_->ServerNow());
  }
  if (options_.network != nullptr && !options_.network->online()) {
    // Not worth waking a phone for: nothing but itself is in reach.
    due_in = std::min(due_in, std::exchange(wake_in, absl::InfiniteDuration()));
  }
  const auto arm = [](net::Timer* timer, absl::Duration delay) {
    if (delay == absl::InfiniteDuration()) return timer->Cancel();
    timer->Arm(std::max(absl::ZeroDuration(), delay));
  };
  arm(timer_.get(), due_in);
  arm(wakeup_timer_.get(), wake_in);
}

// --- Sessions. ---

absl::StatusOr<device::v1::Login> AgentCore::MakeLogin(const std::string& tls_exporter) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t number, inbox_->NextLoginNumber());
  BELLWIRE_ASSIGN_OR_RETURN(std::string signature, key_->SignLogin(tls_exporter, number));
  device::v1::Login login;
  login.set_public_key(key_->public_key_der());
  login.set_signature(std::move(signature));
  login.set_login_number(number);
  if (const auto& mailbox_id = inbox_->mailbox_id(); mailbox_id.has_value()) {
    login.set_mailbox_id(std::string(mailbox_id->bytes()));
  }
  if (inbox_->mailbox_id().has_value()) login.set_seen_up_to_seq(inbox_->seen_up_to());
  told_activity_ = ActivityForServer();
  login.set_activity(told_activity_);
  login.set_agent_version(absl::StrCat("bellwire-agent/", kVersion));
  if (options_.enrolment != nullptr) login.set_enrolment_token(options_.enrolment->token());
  return login;
}

void AgentCore::OnLoginNumberSeen(uint64_t number) {
  if (number > inbox_->login_number() + kMaxLoginNumberJump) {
    LogError("login_number_absurd", {{"number", number}});
    return;
  }
  // A login that was refused for its number: this state is older than what logged in with that one.
  // What the inbox gave out since it does not know.
  const bool is_older =
      number > inbox_->login_number() && link_.state() != ServerLink::State::kReady;
  absl::Status status = inbox_->RaiseLoginNumber(number);
  if (status.ok() && is_older) {
    LogWarning("login_number_behind", {{"number", number}});
    status = inbox_->RenewInboxId();
    if (status.ok()) OnInboxRenewed();
  }
  if (!status.ok()) LogError("login_number_not_kept", {{"error", status.message()}});
}

void AgentCore::OnInboxRenewed() {
  renewing_ = true;
  hub_.CloseApps();
  renewing_ = false;
}

absl::Status AgentCore::OnWelcome(const device::v1::Welcome& welcome) {
  const auto mailbox_id = MailboxId::FromBytes(welcome.mailbox_id());
  const Clock& clock = loop_->clock();
  if (welcome.server_time_ms() != 0) {
    BELLWIRE_RETURN_IF_ERROR(inbox_->SetServerTime(absl::FromUnixMillis(welcome.server_time_ms())));
  }
  const std::string inbox_id = inbox_->inbox_id();
  BELLWIRE_ASSIGN_OR_RETURN(
      const bool is_new_mailbox,
      inbox_->EnterMailbox(*mailbox_id, welcome.settled_seq(), welcome.acked_up_to_seq()));
  if (inbox_->inbox_id() != inbox_id) OnInboxRenewed();
  if (options_.enrolment != nullptr) options_.enrolment->OnLetIn();
  connected_since_ms_ = WallNowMs(clock);
  LogInfo("server_connected",
          {{"server", link_.address()},
           {"heartbeat_ms", absl::ToInt64Milliseconds(link_.heartbeat_interval())},
           {"new_mailbox", is_new_mailbox}});
  const absl::Duration skew = clock.WallNow() - absl::FromUnixMillis(welcome.server_time_ms());
  if (absl::AbsDuration(skew) > kClockSkewWorthALine) {
    LogWarning("clock_skew", {{"ahead_of_server_ms", absl::ToInt64Milliseconds(skew)}});
  }
  TellActivity();
  registrar_.OnSessionStart(welcome.registrations_tag());
  topics_.OnSessionStart();
  outbox_.OnSessionStart();
  DropExpired();
  return outbox_.Pump();
}

absl::Status AgentCore::OnFrame(ConnectorFrame frame) {
  switch (frame.body_case()) {
    case ConnectorFrame::kPush:
      BELLWIRE_RETURN_IF_ERROR(CheckPush(frame.push()));
      ack_seqs_.push_back(frame.push().seq());
      batch_.incoming.emplace_back(std::move(*frame.mutable_push()));
      break;
    case ConnectorFrame::kGap:
      BELLWIRE_RETURN_IF_ERROR(CheckGap(frame.gap()));
      ack_seqs_.push_back(frame.gap().seq());
      batch_.incoming.emplace_back(std::move(*frame.mutable_gap()));
      break;
    case ConnectorFrame::kRecall:
      BELLWIRE_RETURN_IF_ERROR(CheckRecall(frame.recall()));
      batch_.incoming.emplace_back(std::move(*frame.mutable_recall()));
      break;
    case ConnectorFrame::kAppRegistered:
      return registrar_.OnAppRegistered(frame.app_registered());
    case ConnectorFrame::kAppRemoved:
      return registrar_.OnAppRemoved(frame.app_removed());
    case ConnectorFrame::kTopicChanged:
      topics_.OnAnswer(frame.topic_changed());
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
  if (batch_.incoming.size() >= kMaxInboxBatch) {
    Flush();
  } else {
    FlushSoon();
  }
  return absl::OkStatus();
}

void AgentCore::OnBeatAnswered() {
  // The radio is up anyway.
  DropExpired();
  StartAppsInArrears();
  if (absl::Status s = outbox_.OnBeatAnswered(); !s.ok()) return link_.Abandon(s);
  PumpOutbox();
}

void AgentCore::OnSessionEnd() {
  connected_since_ms_ = 0;
  registrar_.OnSessionEnd();
  topics_.OnSessionEnd();
  // What came is worth keeping, but there is nobody left to tell; and the next session may number
  // its messages anew.
  ack_seqs_.clear();
  Flush();
}

// --- Apps. ---

absl::Status AgentCore::Unregister(const std::string& app_id) {
  BELLWIRE_RETURN_IF_ERROR(registrar_.Unregister(app_id));
  starter_.OnTook(app_id);
  PumpOutbox();
  return absl::OkStatus();
}

void AgentCore::OnTaken(const std::string& app_id, std::vector<uint64_t> delivery_ids) {
  batch_.taken.push_back({app_id, std::move(delivery_ids)});
  if (!retry_timer_->armed()) FlushSoon();
}

void AgentCore::ChangeTopic(const std::string& app_id, const AppOwner& owner,
                            uint64_t registration_id, const v1::ChangeTopic& change) {
  topics_.Ask(app_id, owner.uid, registration_id, change);
  ArmTimer();
}

void AgentCore::OnAppLeft(const std::string& app_id) {
  // What it looked at may have expired meanwhile.
  ArmTimer();
  if (renewing_) return;
  // Not while the agent goes down, which is when all apps leave.
  if (link_.state() != ServerLink::State::kStopped) WantStarted(app_id);
}

void AgentCore::WantStarted(const std::string& app_id) {
  if (options_.start_app && !IsSubscriptionKey(app_id)) starter_.Want(app_id);
}

bool AgentCore::StartApp(const std::string& app_id) {
  const Registration* registration = inbox_->Find(app_id);
  return registration != nullptr && options_.start_app(app_id, registration->owner);
}

void AgentCore::StartAppsInArrears() {
  if (!options_.start_app) return;
  for (const auto& [app_id, registration] : inbox_->registrations()) {
    if (inbox_->waiting(app_id) > 0 && !hub_.IsConnected(app_id)) WantStarted(app_id);
  }
}

void AgentCore::SetActivity(v1::Activity activity) {
  activity_ = activity == v1::IDLE ? v1::IDLE : v1::ACTIVE;
  TellActivity();
  ArmTimer();
}

absl::Status AgentCore::SetNetwork(const v1::SetNetwork& request) {
  if (!options_.set_network) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(options_.set_network(request));
  link_.OnNetworkNamed();
  ArmTimer();
  return absl::OkStatus();
}

absl::StatusOr<bool> AgentCore::Enroll(const std::string& token) {
  if (link_.state() == ServerLink::State::kReady) return true;
  if (options_.enrolment == nullptr) {
    return absl::UnavailableError("this agent has no place for an enrolment token");
  }
  BELLWIRE_RETURN_IF_ERROR(options_.enrolment->Take(token));
  LogInfo("enrolment_token_taken");
  link_.OnEnrolled();
  ArmTimer();
  return false;
}

device::v1::Activity AgentCore::ActivityForServer() const {
  return activity_ == v1::IDLE && inbox_->seen_ranges() < kManySeenRanges ? device::v1::IDLE
                                                                          : device::v1::ACTIVE;
}

void AgentCore::TellActivity() {
  const device::v1::Activity activity = ActivityForServer();
  if (activity == told_activity_ || link_.state() != ServerLink::State::kReady) return;
  told_activity_ = activity;
  device::v1::AgentFrame frame;
  frame.mutable_activity_change()->set_activity(activity);
  link_.Send(frame);
}

void AgentCore::FillStatus(v1::Status* status) {
  status->set_activity(activity_);
  status->set_agent_version(absl::StrCat("bellwire-agent/", kVersion));
  switch (link_.state()) {
    case ServerLink::State::kStopped:
    case ServerLink::State::kWaiting:
      status->set_connection(v1::Status::DISCONNECTED);
      break;
    case ServerLink::State::kConnecting:
    case ServerLink::State::kLoggingIn:
      status->set_connection(v1::Status::CONNECTING);
      break;
    case ServerLink::State::kReady:
      status->set_connection(v1::Status::CONNECTED);
      break;
  }
  status->set_server_address(link_.address());
  status->set_device_id(ToHex(key_->device_id()));
  status->set_connected_since_ms(connected_since_ms_);
  status->set_heartbeat_interval_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(link_.heartbeat_interval())));
  status->set_inbox_messages(static_cast<uint32_t>(inbox_->waiting()));
  if (link_.state() != ServerLink::State::kReady) status->set_last_error(link_.last_error());
  status->set_heartbeats_sent(link_.counters().heartbeats_sent);
  status->set_bytes_sent(link_.counters().bytes_sent);
  status->set_bytes_received(link_.counters().bytes_received);
  const TrafficMeter::Span day = meter_.LastDay(loop_->clock().Boottime(), link_.counters());
  status->mutable_last_day()->set_time_ms(absl::ToInt64Milliseconds(day.time));
  status->mutable_last_day()->set_heartbeats(day.traffic.heartbeats_sent);
  status->mutable_last_day()->set_bytes_sent(day.traffic.bytes_sent);
  status->mutable_last_day()->set_bytes_received(day.traffic.bytes_received);
  if (const std::optional<NetworkStatus> network = heartbeat_->network_status()) {
    v1::Status::Network* proto = status->mutable_network();
    proto->set_kind(network->kind);
    proto->set_interface(network->interface);
    proto->set_named(network->named);
    proto->set_gateway(network->gateway);
    proto->set_learned_interval_ms(
        static_cast<uint32_t>(absl::ToInt64Milliseconds(network->learned)));
    proto->set_hint_interval_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(network->hint)));
  }
}

// --- The disk. ---

void AgentCore::FlushSoon() {
  if (flush_posted_) return;
  flush_posted_ = loop_->Post([this, alive = std::shared_ptr<const bool>(alive_)] {
    if (*alive) Flush();
  });
  if (!flush_posted_) Flush();
}

void AgentCore::Flush() {
  flush_posted_ = false;
  if (batch_.empty()) return;
  absl::StatusOr<Inbox::Applied> applied = inbox_->Apply(batch_);
  if (!applied.ok()) {
    LogError("inbox_not_written",
             {{"error", applied.status().message()}, {"pushes", batch_.incoming.size()}});
    // The server still has what it sent, because nothing was acknowledged; what apps took is known
    // to nobody else.
    const bool from_server = !batch_.incoming.empty();
    batch_.incoming.clear();
    ack_seqs_.clear();
    if (!batch_.taken.empty()) retry_timer_->Arm(kDiskRetry);
    if (from_server) link_.Abandon(applied.status());
    return ArmTimer();
  }
  const std::vector<InboxBatch::Taken> taken = std::move(batch_.taken);
  batch_ = InboxBatch();
  SendAck();
  TellActivity();
  for (const std::string& app_id : applied->apps_with_news) {
    hub_.Deliver(app_id);
    if (!hub_.IsConnected(app_id)) WantStarted(app_id);
  }
  for (const InboxBatch::Taken& app : taken) starter_.OnTook(app.app_id);
  hub_.OnCommitted(taken);
  PumpOutbox();
  ArmTimer();
}

void AgentCore::SendAck() {
  std::vector<uint64_t> seqs = std::exchange(ack_seqs_, {});
  if (seqs.empty() || link_.state() != ServerLink::State::kReady) return;
  absl::c_sort(seqs);
  // Exactly what came, never "everything up to": what is still on its way is not acknowledged, in
  // whatever order the server sends.
  device::v1::AgentFrame frame;
  device::v1::SeqRange* range = nullptr;
  for (const uint64_t seq : seqs) {
    if (range == nullptr || seq > range->last() + 1) {
      range = frame.mutable_ack()->add_ranges();
      range->set_first(seq);
    }
    range->set_last(seq);
  }
  link_.Send(frame);
}

void AgentCore::DropExpired() {
  drop_again_at_.reset();
  absl::StatusOr<bool> dropped = inbox_->DropExpired();
  if (dropped.ok()) return;
  LogError("inbox_not_written", {{"error", dropped.status().message()}});
  drop_again_at_ = loop_->clock().Monotonic() + kDiskRetry;
}

void AgentCore::PumpOutbox() {
  if (absl::Status s = outbox_.Pump(); !s.ok()) link_.Abandon(s);
}

}  // namespace bellwire::agent
