#include "device-agent/apps/app_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/version.h"
#include "device-agent/apps/app_key.h"
#include "device-agent/apps/fair_share.h"
#include "device-agent/apps/names_in_logs.h"
#include "device-agent/inbox/app_window.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {
namespace {

constexpr uid_t kRoot = 0;
// Read from disk at a time: bounds the memory that one app's backlog takes.
constexpr size_t kItemsAtATime = 4;
constexpr absl::string_view kTooManyConnections =
    "too many apps of this user, or of all, are connected to this agent";
constexpr absl::string_view kPinnedApp =
    "this phone's policy pins the app id to another user, program or sandbox";
constexpr absl::string_view kBadInstance = "an instance has 1 to 256 bytes";

using State = AppConnection::State;

v1::AgentFrame AnswerTo(const v1::ChangeTopic& change, v1::TopicChanged::Outcome outcome) {
  v1::AgentFrame frame;
  frame.mutable_topic_changed()->set_topic(change.topic());
  frame.mutable_topic_changed()->set_subscribed(change.subscribed());
  frame.mutable_topic_changed()->set_outcome(outcome);
  return frame;
}

bool IsSubscriptionName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxSubscriptionNameBytes;
}

// What the app, or the companion, is given.
v1::AgentFrame FrameOf(absl::string_view app_id, InboxItem item) {
  const std::string instance = IsSubscriptionKey(app_id) ? InstanceOf(app_id) : "";
  v1::AgentFrame frame;
  if (item.dropped > 0) {
    frame.mutable_gap()->set_dropped(item.dropped);
    frame.mutable_gap()->set_delivery_id(item.delivery_id);
    frame.mutable_gap()->set_instance(instance);
    return frame;
  }
  v1::Delivery* delivery = frame.mutable_delivery();
  delivery->set_delivery_id(item.delivery_id);
  delivery->set_message_id(FormatUuid(MessageId::FromBytes(item.message_id).value_or(MessageId())));
  delivery->set_payload(std::move(item.payload));
  delivery->set_accepted_at_ms(item.accepted_at_ms);
  delivery->set_redelivered(item.redelivered);
  delivery->set_instance(instance);
  // Both protocols number priorities and fields of Content alike.
  delivery->set_priority(static_cast<v1::Priority>(item.priority));
  if (!item.content.empty()) delivery->mutable_content()->ParseFromString(item.content);
  return frame;
}

}  // namespace

AppHub::AppHub(net::EventLoop* loop, Inbox* inbox, uid_t agent_uid, Owner* owner,
               size_t max_connections)
    : loop_(loop),
      inbox_(inbox),
      agent_uid_(agent_uid),
      owner_(owner),
      max_connections_(max_connections),
      refusals_(&loop->clock()),
      failures_(&loop->clock()) {}

void AppHub::CloseAll() {
  while (!connections_.empty()) connections_.begin()->first->Close();
}

bool AppHub::Admit(uid_t uid) {
  const auto own = std::count_if(connections_.begin(), connections_.end(),
                                 [uid](const auto& c) { return c.first->who().uid == uid; });
  if (MayTakePlace(max_connections_, connections_.size(), static_cast<size_t>(own))) return true;
  LogRefusal("", uid, v1::Error::LIMIT_REACHED, kTooManyConnections);
  return false;
}

std::string AppHub::NotAdmitted() {
  v1::AgentFrame frame;
  frame.mutable_error()->set_code(v1::Error::LIMIT_REACHED);
  frame.mutable_error()->set_message(std::string(kTooManyConnections));
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  return bytes;
}

void AppHub::CloseApps() {
  while (!by_app_.empty()) by_app_.begin()->second->Close();
}

void AppHub::SetPolicy(AppPolicy policy) {
  policy_ = std::move(policy);
  std::vector<AppConnection*> ended;
  for (const auto& [key, connection] : by_app_) {
    if (!IsSubscriptionKey(key) &&
        !policy_.Allows(AppIdOf(key), connection->who(), connection->executable())) {
      ended.push_back(connection);
    }
  }
  for (AppConnection* connection : ended) {
    connection->Fail(v1::Error::PERMISSION_DENIED, kPinnedApp);
  }
}

void AppHub::Accept(std::unique_ptr<net::Stream> stream, AppOwner who, std::string executable) {
  const bool admitted = Admit(who.uid);
  AppConnection::Owner* const self = this;
  auto owned = std::make_unique<AppConnection>(std::move(stream), std::move(who),
                                               std::move(executable), loop_, self);
  AppConnection* const connection = owned.get();
  connections_.emplace(connection, std::move(owned));
  if (!admitted) refused_.insert(connection);
}

void AppHub::OnAppOpen(AppConnection* connection) {
  if (refused_.erase(connection) > 0) {
    connection->Fail(v1::Error::LIMIT_REACHED, kTooManyConnections);
  }
}

// --- Frames of apps. ---

void AppHub::OnAppFrame(AppConnection* connection, const v1::AppFrame& frame) {
  using Frame = v1::AppFrame;
  if (frame.body_case() == Frame::BODY_NOT_SET) return;  // From a later version of the protocol.
  if (frame.body_case() == Frame::kStatusRequest) return OnStatusRequest(connection);
  if (frame.body_case() == Frame::kSetActivity) {
    return OnSetActivity(connection, frame.set_activity());
  }
  if (frame.body_case() == Frame::kSetNetwork) {
    return OnSetNetwork(connection, frame.set_network());
  }
  if (frame.body_case() == Frame::kEnroll) return OnEnroll(connection, frame.enroll());
  if (frame.body_case() == Frame::kHello) return OnHello(connection, frame.hello());
  if (connection->key().empty()) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR,
                            "the first frame must be Hello, with an app id or as a companion");
  }
  if (IsSubscriptionKey(connection->key())) return OnFrameOfCompanion(connection, frame);
  OnFrameOfApp(connection, frame);
}

void AppHub::OnFrameOfApp(AppConnection* connection, const v1::AppFrame& frame) {
  const std::string& app_id = connection->key();
  switch (frame.body_case()) {
    case v1::AppFrame::kRegister:
      return Register(connection, &connection->channels.begin()->second, std::nullopt);
    case v1::AppFrame::kUnregister:
      return OnUnregister(connection, app_id);
    case v1::AppFrame::kAck:
      return OnAck(connection, app_id, frame.ack());
    case v1::AppFrame::kChangeTopic:
      return OnChangeTopic(connection, frame.change_topic());
    default:
      return connection->Fail(v1::Error::PROTOCOL_ERROR, "only a companion has subscriptions");
  }
}

void AppHub::OnFrameOfCompanion(AppConnection* connection, const v1::AppFrame& frame) {
  const uid_t uid = connection->who().uid;
  switch (frame.body_case()) {
    case v1::AppFrame::kSubscribe:
      return OnSubscribe(connection, frame.subscribe());
    case v1::AppFrame::kUnsubscribe:
      if (!IsSubscriptionName(frame.unsubscribe().instance())) break;
      return OnUnregister(connection, SubscriptionKey(uid, frame.unsubscribe().instance()));
    case v1::AppFrame::kAck:
      return OnAck(connection, SubscriptionKey(uid, frame.ack().instance()), frame.ack());
    default:
      return connection->Fail(v1::Error::PROTOCOL_ERROR, "a companion has no token of its own");
  }
  connection->Fail(v1::Error::PROTOCOL_ERROR, kBadInstance);
}

void AppHub::OnHello(AppConnection* connection, const v1::Hello& hello) {
  if (connection->state() != State::kNew) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR, "a second Hello");
  }
  std::string key;
  if (hello.companion()) {
    if (!MayBeCompanion(connection, hello)) return;
    key = SubscriptionKey(connection->who().uid, "");
  } else if (!hello.app_id().empty()) {
    if (!MaySpeakFor(connection, hello.app_id())) return;
    key = AppKey(connection->who(), hello.app_id());
  }
  if (!key.empty()) {
    if (AppConnection* other = Find(key); other != nullptr) {
      other->Fail(v1::Error::SESSION_REPLACED, "a newer connection speaks for this app or user");
    }
    by_app_[key] = connection;
    if (!hello.companion()) connection->channels[key].key = key;
    owner_->OnAppConnected(key);
  }
  connection->Name(key);
  v1::AgentFrame answer;
  answer.mutable_hello_ok()->set_agent_version(absl::StrCat("bellwire-agent/", kVersion));
  answer.mutable_hello_ok()->set_inbox_id(inbox_->inbox_id());
  connection->Send(answer);
}

bool AppHub::MayBeCompanion(AppConnection* connection, const v1::Hello& hello) {
  if (!hello.app_id().empty()) {
    connection->Fail(v1::Error::PROTOCOL_ERROR, "a companion speaks for no app: leave out app_id");
    return false;
  }
  if (!connection->who().sandbox.empty()) {
    connection->Fail(v1::Error::PERMISSION_DENIED,
                     "what runs in a sandbox does not speak for its whole user");
    return false;
  }
  return true;
}

bool AppHub::MaySpeakFor(AppConnection* connection, const std::string& app_id) {
  if (!IsValidAppId(app_id)) {
    connection->Fail(v1::Error::BAD_APP_ID,
                     "an app id is a reverse domain name such as com.example.mail");
    return false;
  }
  if (policy_.Allows(app_id, connection->who(), connection->executable())) return true;
  connection->Fail(v1::Error::PERMISSION_DENIED, kPinnedApp);
  return false;
}

void AppHub::OnSubscribe(AppConnection* connection, const v1::Subscribe& request) {
  const std::string& instance = request.instance();
  if (!IsSubscriptionName(instance)) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR, kBadInstance);
  }
  if (!IsSubscriptionName(request.owner()) ||
      (!request.vapid_key().empty() && request.vapid_key().size() != kVapidKeyBytes)) {
    return connection->SendError(
        v1::Error::BAD_SUBSCRIPTION,
        "an owner has 1 to 256 bytes, and a VAPID key is an uncompressed P-256 point, 65 bytes",
        instance);
  }
  const std::string key = SubscriptionKey(connection->who().uid, instance);
  const Registration* registration = inbox_->Find(key);
  if (registration != nullptr && registration->subscription->vapid_key != request.vapid_key()) {
    return connection->SendError(
        v1::Error::BAD_SUBSCRIPTION,
        "this subscription lives with another VAPID key: say Unsubscribe first", instance);
  }
  AppChannel& channel = connection->channels[key];
  channel.key = key;
  Register(connection, &channel,
           Subscription{.owner = request.owner(),
                        .vapid_key = request.vapid_key(),
                        .receipts = request.receipts()});
}

void AppHub::Register(AppConnection* connection, AppChannel* channel,
                      std::optional<Subscription> subscription) {
  const std::string app_id = channel->key;
  const Registration* registration = inbox_->Find(app_id);
  if (registration != nullptr && !registration->token.empty()) {
    const bool changes = registration->subscription != subscription;
    TellToken(connection, channel, registration->token);
    Pump(connection);
    if (!changes) return;
  } else if (channel->state == AppChannel::State::kIdle) {
    channel->state = AppChannel::State::kRegistering;
  }
  owner_->WantToken(app_id, connection->who(), std::move(subscription));
}

void AppHub::OnUnregister(AppConnection* connection, const std::string& app_id) {
  const bool is_subscription = IsSubscriptionKey(app_id);
  if (absl::Status s = owner_->Unregister(app_id); !s.ok()) {
    LogFailure("unregister_failed", app_id, s);
    constexpr absl::string_view kWhy = "the agent can't write to its disk: try again";
    // Its client says it again on the next connection.
    if (is_subscription) return connection->Fail(v1::Error::INTERNAL, kWhy);
    return connection->SendError(v1::Error::INTERNAL, kWhy);
  }
  v1::AgentFrame answer;
  if (is_subscription) {
    const auto channel = connection->channels.find(app_id);
    if (channel != connection->channels.end()) Drop(connection, &channel->second);
    answer.mutable_unsubscribed()->set_instance(InstanceOf(app_id));
  } else {
    AppChannel& channel = connection->channels.begin()->second;
    channel.news.reset();
    channel.state = AppChannel::State::kIdle;
    answer.mutable_unregistered();
  }
  connection->Send(answer);
}

void AppHub::OnAck(AppConnection* connection, const std::string& app_id, const v1::Ack& ack) {
  if (static_cast<size_t>(ack.delivery_ids_size()) > kMaxAppAcksPerFrame) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR, "too many delivery ids in one Ack");
  }
  AppWindow* const window = inbox_->WindowOf(app_id);
  if (window == nullptr) return;
  std::vector<uint64_t> taken;
  for (const uint64_t id : ack.delivery_ids()) {
    // Anything else was acknowledged before, or is none of this app's: nothing to do, and no harm.
    if (window->Take(id)) taken.push_back(id);
  }
  if (!taken.empty()) owner_->OnTaken(app_id, std::move(taken));
}

void AppHub::OnChangeTopic(AppConnection* connection, const v1::ChangeTopic& change) {
  const std::string& app_id = connection->key();
  const Registration* registration = inbox_->Find(app_id);
  if (connection->channels.begin()->second.state != AppChannel::State::kRegistered ||
      registration == nullptr || registration->token.empty()) {
    return connection->Send(AnswerTo(change, v1::TopicChanged::UNREGISTERED));
  }
  if (connection->open_topic_changes >= kMaxOpenTopicChanges) {
    return connection->Send(AnswerTo(change, v1::TopicChanged::LIMIT_REACHED));
  }
  ++connection->open_topic_changes;
  owner_->ChangeTopic(app_id, connection->who(), registration->registration_id, change);
}

void AppHub::OnStatusRequest(AppConnection* connection) {
  v1::AgentFrame answer;
  v1::Status* status = answer.mutable_status();
  owner_->FillStatus(status);
  const bool sees_all = IsPrivileged(*connection);
  if (!sees_all) {
    // Which router the phone is behind tells where it is, and the device id which phone it is.
    status->clear_network();
    status->clear_device_id();
  }
  AddApps(sees_all, connection->who(), status);
  connection->Send(answer);
}

void AppHub::AddApps(bool sees_all, const AppOwner& who, v1::Status* status) {
  size_t bytes = status->ByteSizeLong();
  // Room for a few hundred; the answer is one frame.
  const auto has_room_for = [&](const auto& message) {
    bytes += message.ByteSizeLong() + 5;
    if (bytes + 32 <= kMaxFrameBytes) return true;
    status->set_left_out(status->left_out() + 1);
    return false;
  };
  for (const auto& [key, registration] : inbox_->registrations()) {
    if (!sees_all && registration.owner != who) continue;
    const bool is_connected = IsConnected(key);
    const auto waiting = static_cast<uint32_t>(inbox_->waiting(key));
    if (registration.subscription.has_value()) {
      v1::Status::Subscription subscription;
      subscription.set_uid(registration.owner.uid);
      subscription.set_instance(InstanceOf(key));
      subscription.set_owner(registration.subscription->owner);
      subscription.set_connected(is_connected);
      subscription.set_waiting_messages(waiting);
      subscription.set_registered(!registration.token.empty());
      if (has_room_for(subscription)) *status->add_subscriptions() = std::move(subscription);
    } else {
      v1::Status::App app;
      app.set_app_id(AppIdOf(key));
      app.set_uid(registration.owner.uid);
      app.set_sandbox(registration.owner.sandbox);
      app.set_connected(is_connected);
      app.set_starts(static_cast<uint32_t>(owner_->StartsOf(key)));
      app.set_waiting_messages(waiting);
      if (has_room_for(app)) *status->add_apps() = std::move(app);
    }
  }
}

void AppHub::OnSetActivity(AppConnection* connection, const v1::SetActivity& request) {
  if (!IsPrivileged(*connection)) {
    return connection->Fail(v1::Error::PERMISSION_DENIED,
                            "only root and the agent's own user may say whether the phone is used");
  }
  owner_->SetActivity(request.activity());
  v1::AgentFrame answer;
  answer.mutable_activity_set();
  connection->Send(answer);
}

void AppHub::OnSetNetwork(AppConnection* connection, const v1::SetNetwork& request) {
  if (!IsPrivileged(*connection)) {
    return connection->Fail(v1::Error::PERMISSION_DENIED,
                            "only root and the agent's own user may say which network this is");
  }
  if (absl::Status s = owner_->SetNetwork(request); !s.ok()) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR, s.message());
  }
  v1::AgentFrame answer;
  answer.mutable_network_set();
  connection->Send(answer);
}

void AppHub::OnEnroll(AppConnection* connection, const v1::Enroll& request) {
  if (!IsPrivileged(*connection)) {
    return connection->Fail(v1::Error::PERMISSION_DENIED,
                            "only root and the agent's own user may enrol the phone");
  }
  const absl::StatusOr<bool> not_needed = owner_->Enroll(request.token());
  if (!not_needed.ok()) {
    return connection->Fail(absl::IsInvalidArgument(not_needed.status()) ? v1::Error::PROTOCOL_ERROR
                                                                         : v1::Error::INTERNAL,
                            not_needed.status().message());
  }
  v1::AgentFrame answer;
  answer.mutable_enrolled()->set_not_needed(*not_needed);
  connection->Send(answer);
}

bool AppHub::IsPrivileged(const AppConnection& connection) const {
  return connection.who().uid == kRoot || connection.who().uid == agent_uid_;
}

// --- News for apps. ---

void AppHub::OnRegistered(const std::string& app_id) {
  AppConnection* connection = Find(app_id);
  AppChannel* channel = FindChannel(app_id);
  const Registration* registration = inbox_->Find(app_id);
  if (channel == nullptr || registration == nullptr) return;
  if (channel->state == AppChannel::State::kIdle) return;  // It has not asked.
  TellToken(connection, channel, registration->token);
  Pump(connection);
}

void AppHub::OnRefused(const std::string& app_id, v1::Error::Code code, absl::string_view message) {
  AppChannel* channel = FindChannel(app_id);
  if (channel == nullptr) return;
  v1::Error* error = channel->news.emplace().mutable_error();
  error->set_code(code);
  error->set_message(std::string(message));
  if (IsSubscriptionKey(app_id)) error->set_instance(InstanceOf(app_id));
  // An endpoint that died with its server is asked for again by itself, and the companion is told.
  channel->state = IsSubscriptionKey(app_id) && inbox_->Find(app_id) != nullptr
                       ? AppChannel::State::kRegistering
                       : AppChannel::State::kIdle;
  AppConnection* connection = Find(app_id);
  MakeDue(connection, channel);
  Pump(connection);
}

void AppHub::Deliver(const std::string& app_id) {
  AppChannel* channel = FindChannel(app_id);
  if (channel == nullptr) return;
  AppConnection* connection = Find(app_id);
  MakeDue(connection, channel);
  Pump(connection);
}

void AppHub::OnTopicChanged(const std::string& app_id, const v1::ChangeTopic& change,
                            v1::TopicChanged::Outcome outcome) {
  AppConnection* connection = Find(app_id);
  if (connection == nullptr) return;
  connection->topic_answers.push_back(AnswerTo(change, outcome));
  Pump(connection);
}

void AppHub::OnCommitted(const std::vector<InboxBatch::Taken>& taken) {
  for (const InboxBatch::Taken& app : taken) Deliver(app.app_id);
}

void AppHub::TellToken(AppConnection* connection, AppChannel* channel, const std::string& token) {
  channel->state = AppChannel::State::kRegistered;
  inbox_->Attach(channel->key);
  v1::AgentFrame& frame = channel->news.emplace();
  if (IsSubscriptionKey(channel->key)) {
    frame.mutable_subscribed()->set_instance(InstanceOf(channel->key));
    frame.mutable_subscribed()->set_endpoint(token);
  } else {
    frame.mutable_registered()->set_token(token);
  }
  MakeDue(connection, channel);
}

void AppHub::MakeDue(AppConnection* connection, AppChannel* channel) {
  if (std::exchange(channel->due, true)) return;
  connection->due.push_back(channel);
}

void AppHub::Drop(AppConnection* connection, AppChannel* channel) {
  if (channel->due) std::erase(connection->due, channel);
  connection->channels.erase(std::string(channel->key));
}

void AppHub::Pump(AppConnection* connection) {
  while (connection->state() == State::kNamed && connection->has_room() &&
         !connection->topic_answers.empty()) {
    const v1::AgentFrame answer = std::move(connection->topic_answers.front());
    connection->topic_answers.pop_front();
    --connection->open_topic_changes;
    connection->Send(answer);
  }
  while (connection->state() == State::kNamed && connection->has_room() &&
         !connection->due.empty()) {
    AppChannel* const channel = connection->due.front();
    connection->due.pop_front();
    channel->due = false;
    if (channel->news.has_value()) {
      connection->Send(*std::exchange(channel->news, std::nullopt));
      if (connection->state() == State::kClosed) return;
      if (channel->state == AppChannel::State::kIdle && IsSubscriptionKey(channel->key)) {
        // It was refused, and is none.
        Drop(connection, channel);
        continue;
      }
    }
    if (!PumpChannel(connection, channel)) return;
  }
}

bool AppHub::PumpChannel(AppConnection* connection, AppChannel* channel) {
  const std::string& app_id = channel->key;
  AppWindow* const window = inbox_->WindowOf(app_id);
  if (channel->state != AppChannel::State::kRegistered || window == nullptr ||
      window->room() == 0 || inbox_->waiting(app_id) == 0) {
    return true;
  }
  if (!connection->has_room()) {
    // Its turn has not begun.
    channel->due = true;
    connection->due.push_front(channel);
    return false;
  }
  // What has expired is passed over for good: if the clock is set back, it must not come after what
  // the app is given now.
  if (absl::StatusOr<bool> dropped = inbox_->DropExpired(); !dropped.ok()) {
    LogFailure("expired_not_dropped", app_id, dropped.status());
    connection->Fail(v1::Error::INTERNAL, "the agent can't write to its disk");
    return false;
  }
  const size_t limit = std::min(kItemsAtATime, window->room());
  absl::StatusOr<std::vector<InboxItem>> items = inbox_->Items(app_id, window->last_given(), limit);
  if (!items.ok()) {
    LogFailure("inbox_unreadable", app_id, items.status());
    connection->Fail(v1::Error::INTERNAL, "the agent can't read its disk");
    return false;
  }
  for (InboxItem& item : *items) {
    if (!connection->has_room()) {
      MakeDue(connection, channel);
      return false;
    }
    if (!window->Give(item.delivery_id)) continue;
    connection->Send(FrameOf(app_id, std::move(item)));
    if (connection->state() == State::kClosed) return false;
  }
  // The others have their turn first.
  if (items->size() == limit) MakeDue(connection, channel);
  return true;
}

// --- Connections. ---

void AppHub::OnAppDrained(AppConnection* connection) { Pump(connection); }

void AppHub::OnAppRefused(const AppConnection& connection, v1::Error::Code code,
                          absl::string_view why) {
  LogRefusal(connection.key(), connection.who().uid, code, why);
}

void AppHub::LogRefusal(absl::string_view app_id, uid_t uid, v1::Error::Code code,
                        absl::string_view why) {
  if (const auto unsaid = refusals_.Take()) {
    LogInfo("app_refused", {{"app", NameInLogs(app_id)},
                            {"uid", uid},
                            {"code", code},
                            {"why", why},
                            {"unsaid", *unsaid}});
  }
}

void AppHub::LogFailure(absl::string_view event, absl::string_view app_id,
                        const absl::Status& error) {
  if (const auto unsaid = failures_.Take()) {
    LogError(event, {{"app", NameInLogs(app_id)}, {"error", error.message()}, {"unsaid", *unsaid}});
  }
}

void AppHub::OnAppClosed(AppConnection* connection) {
  const auto it = by_app_.find(connection->key());
  if (it != by_app_.end() && it->second == connection) {
    by_app_.erase(it);
    owner_->ForgetTopicChanges(connection->key());
    for (const auto& [app_id, channel] : connection->channels) {
      inbox_->Release(app_id);
      owner_->UnwantToken(app_id);
      if (inbox_->waiting(app_id) > 0) owner_->OnAppLeft(app_id);
    }
  }
  refused_.erase(connection);
  const auto owned = connections_.find(connection);
  loop_->DeleteLater(std::move(owned->second));
  connections_.erase(owned);
}

AppConnection* AppHub::Find(absl::string_view app_id) const {
  const auto it =
      IsSubscriptionKey(app_id) ? by_app_.find(CompanionKeyOf(app_id)) : by_app_.find(app_id);
  return it == by_app_.end() ? nullptr : it->second;
}

AppChannel* AppHub::FindChannel(absl::string_view app_id) const {
  AppConnection* const connection = Find(app_id);
  if (connection == nullptr) return nullptr;
  const auto it = connection->channels.find(app_id);
  return it == connection->channels.end() ? nullptr : &it->second;
}

}  // namespace bellwire::agent
