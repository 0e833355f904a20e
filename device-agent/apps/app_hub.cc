#include "device-agent/apps/app_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/version.h"
#include "device-agent/apps/fair_share.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {
namespace {

constexpr uid_t kRoot = 0;
// Read from disk at a time: bounds the memory that one app's backlog takes.
constexpr size_t kItemsAtATime = 4;
constexpr absl::string_view kTooManyConnections =
    "too many apps of this user, or of all, are connected to this agent";

using State = AppConnection::State;

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

void AppHub::Accept(std::unique_ptr<net::Stream> stream, AppOwner who) {
  const bool admitted = Admit(who.uid);
  AppConnection::Owner* const self = this;
  auto owned = std::make_unique<AppConnection>(std::move(stream), std::move(who), loop_, self);
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
  if (frame.body_case() == Frame::kHello) return OnHello(connection, frame.hello());
  if (connection->app_id().empty()) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR,
                            "the first frame must be Hello, with an app id");
  }
  switch (frame.body_case()) {
    case Frame::kRegister:
      return OnRegister(connection);
    case Frame::kUnregister:
      return OnUnregister(connection);
    case Frame::kAck:
      return OnAck(connection, frame.ack());
    default:
      return;
  }
}

void AppHub::OnHello(AppConnection* connection, const v1::Hello& hello) {
  const std::string& app_id = hello.app_id();
  if (connection->state() != State::kNew) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR, "a second Hello");
  }
  if (!app_id.empty()) {
    if (!IsValidAppId(app_id)) {
      return connection->Fail(v1::Error::BAD_APP_ID,
                              "an app id is a reverse domain name such as com.example.mail");
    }
    const Registration* registration = inbox_->Find(app_id);
    AppConnection* other = Find(app_id);
    const bool is_anothers = registration != nullptr
                                 ? registration->owner != connection->who()
                                 : other != nullptr && other->who() != connection->who();
    if (is_anothers) {
      return connection->Fail(v1::Error::PERMISSION_DENIED,
                              "this app id belongs to another user or sandbox of this phone");
    }
    if (other != nullptr) {
      other->Fail(v1::Error::SESSION_REPLACED, "a newer connection speaks for this app");
    }
    by_app_[app_id] = connection;
    owner_->OnAppConnected(app_id);
  }
  connection->Name(app_id);
  v1::AgentFrame answer;
  answer.mutable_hello_ok()->set_agent_version(absl::StrCat("bellwire-agent/", kVersion));
  answer.mutable_hello_ok()->set_inbox_id(inbox_->inbox_id());
  connection->Send(answer);
}

void AppHub::OnRegister(AppConnection* connection) {
  const Registration* registration = inbox_->Find(connection->app_id());
  if (registration != nullptr && !registration->token.empty()) {
    SendToken(connection, registration->token);
    return Pump(connection);
  }
  if (connection->state() == State::kNamed) connection->set_state(State::kRegistering);
  owner_->WantToken(connection->app_id(), connection->who());
}

void AppHub::OnUnregister(AppConnection* connection) {
  const std::string& app_id = connection->app_id();
  if (absl::Status s = owner_->Unregister(app_id); !s.ok()) {
    LogFailure("unregister_failed", app_id, s);
    return connection->SendError(v1::Error::INTERNAL,
                                 "the agent can't write to its disk: try again");
  }
  taken_.erase(app_id);
  connection->unacked.clear();
  connection->last_given = 0;
  connection->set_state(State::kNamed);
  v1::AgentFrame answer;
  answer.mutable_unregistered();
  connection->Send(answer);
}

void AppHub::OnAck(AppConnection* connection, const v1::Ack& ack) {
  if (static_cast<size_t>(ack.delivery_ids_size()) > kMaxAppAcksPerFrame) {
    return connection->Fail(v1::Error::PROTOCOL_ERROR, "too many delivery ids in one Ack");
  }
  std::vector<uint64_t> taken;
  for (const uint64_t id : ack.delivery_ids()) {
    // Anything else was acknowledged before, or is none of this app's: nothing to do, and no harm.
    if (!connection->unacked.contains(id)) continue;
    if (taken_[connection->app_id()].insert(id).second) taken.push_back(id);
  }
  if (!taken.empty()) owner_->OnTaken(connection->app_id(), std::move(taken));
}

void AppHub::OnStatusRequest(AppConnection* connection) {
  v1::AgentFrame answer;
  v1::Status* status = answer.mutable_status();
  owner_->FillStatus(status);
  const bool sees_all = IsPrivileged(*connection);
  // Which router the phone is behind tells where it is.
  if (!sees_all) status->clear_network();
  size_t bytes = status->ByteSizeLong();
  for (const auto& [app_id, registration] : inbox_->registrations()) {
    if (!sees_all && registration.owner != connection->who()) continue;
    v1::Status::App app;
    app.set_app_id(app_id);
    app.set_connected(Find(app_id) != nullptr);
    app.set_starts(static_cast<uint32_t>(owner_->StartsOf(app_id)));
    app.set_waiting_messages(static_cast<uint32_t>(inbox_->waiting(app_id)));
    // Room for a few hundred apps; the answer is one frame.
    bytes += app.ByteSizeLong() + 4;
    if (bytes + 16 > kMaxFrameBytes) break;
    *status->add_apps() = std::move(app);
  }
  connection->Send(answer);
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

bool AppHub::IsPrivileged(const AppConnection& connection) const {
  return connection.who().uid == kRoot || connection.who().uid == agent_uid_;
}

// --- News for apps. ---

void AppHub::OnRegistered(const std::string& app_id) {
  AppConnection* connection = Find(app_id);
  const Registration* registration = inbox_->Find(app_id);
  if (connection == nullptr || registration == nullptr) return;
  if (registration->owner != connection->who()) {
    return connection->Fail(v1::Error::PERMISSION_DENIED,
                            "this app id belongs to another user or sandbox of this phone");
  }
  if (connection->state() == State::kNamed) return;  // It has not asked.
  SendToken(connection, registration->token);
  Pump(connection);
}

void AppHub::OnRefused(const std::string& app_id, v1::Error::Code code, absl::string_view message) {
  AppConnection* connection = Find(app_id);
  if (connection == nullptr) return;
  connection->set_state(State::kNamed);
  connection->SendError(code, message);
}

void AppHub::Deliver(const std::string& app_id) {
  if (AppConnection* connection = Find(app_id); connection != nullptr) Pump(connection);
}

void AppHub::OnCommitted(const std::vector<InboxBatch::Taken>& taken) {
  for (const InboxBatch::Taken& app : taken) {
    AppConnection* connection = Find(app.app_id);
    const auto uncommitted = taken_.find(app.app_id);
    for (const uint64_t id : app.delivery_ids) {
      if (uncommitted != taken_.end()) uncommitted->second.erase(id);
      if (connection != nullptr) connection->unacked.erase(id);
    }
    if (uncommitted != taken_.end() && uncommitted->second.empty()) taken_.erase(uncommitted);
    if (connection != nullptr) Pump(connection);
  }
}

void AppHub::SendToken(AppConnection* connection, const std::string& token) {
  connection->set_state(State::kRegistered);
  inbox_->Attach(connection->app_id());
  v1::AgentFrame frame;
  frame.mutable_registered()->set_token(token);
  connection->Send(frame);
}

void AppHub::Pump(AppConnection* connection) {
  while (connection->state() == State::kRegistered && connection->has_room() &&
         connection->unacked.size() < kAppWindowMessages) {
    const std::string app_id = connection->app_id();
    // What has expired is passed over for good: if the clock is set back, it must not come after what the
    // app is given now.
    if (absl::StatusOr<bool> dropped = inbox_->DropExpired(); !dropped.ok()) {
      LogFailure("expired_not_dropped", app_id, dropped.status());
      return connection->Fail(v1::Error::INTERNAL, "the agent can't write to its disk");
    }
    const size_t limit = std::min(kItemsAtATime, kAppWindowMessages - connection->unacked.size());
    absl::StatusOr<std::vector<InboxItem>> items =
        inbox_->Items(app_id, connection->last_given, limit);
    if (!items.ok()) {
      LogFailure("inbox_unreadable", app_id, items.status());
      return connection->Fail(v1::Error::INTERNAL, "the agent can't read its disk");
    }
    const auto uncommitted = taken_.find(app_id);
    for (InboxItem& item : *items) {
      if (!connection->has_room()) return;
      connection->last_given = item.delivery_id;
      if (uncommitted != taken_.end() && uncommitted->second.contains(item.delivery_id)) continue;
      v1::AgentFrame frame;
      if (item.dropped > 0) {
        frame.mutable_gap()->set_dropped(item.dropped);
        frame.mutable_gap()->set_delivery_id(item.delivery_id);
      } else {
        v1::Delivery* delivery = frame.mutable_delivery();
        delivery->set_delivery_id(item.delivery_id);
        delivery->set_message_id(
            FormatUuid(MessageId::FromBytes(item.message_id).value_or(MessageId())));
        delivery->set_payload(std::move(item.payload));
        delivery->set_accepted_at_ms(item.accepted_at_ms);
        delivery->set_redelivered(item.redelivered);
      }
      connection->unacked.insert(item.delivery_id);
      inbox_->NoteGiven(app_id, item.delivery_id);
      connection->Send(frame);
      if (connection->state() == State::kClosed) return;
    }
    if (items->size() < limit) return;
  }
}

// --- Connections. ---

void AppHub::OnAppDrained(AppConnection* connection) { Pump(connection); }

void AppHub::OnAppRefused(const AppConnection& connection, v1::Error::Code code,
                          absl::string_view why) {
  LogRefusal(connection.app_id(), connection.who().uid, code, why);
}

void AppHub::LogRefusal(absl::string_view app_id, uid_t uid, v1::Error::Code code,
                        absl::string_view why) {
  if (const auto unsaid = refusals_.Take()) {
    LogInfo("app_refused",
            {{"app", app_id}, {"uid", uid}, {"code", code}, {"why", why}, {"unsaid", *unsaid}});
  }
}

void AppHub::LogFailure(absl::string_view event, absl::string_view app_id,
                        const absl::Status& error) {
  if (const auto unsaid = failures_.Take()) {
    LogError(event, {{"app", app_id}, {"error", error.message()}, {"unsaid", *unsaid}});
  }
}

void AppHub::OnAppClosed(AppConnection* connection) {
  const auto it = by_app_.find(connection->app_id());
  if (it != by_app_.end() && it->second == connection) {
    by_app_.erase(it);
    inbox_->Release(connection->app_id());
    owner_->UnwantToken(connection->app_id());
    if (inbox_->waiting(connection->app_id()) > 0) owner_->OnAppLeft(connection->app_id());
  }
  refused_.erase(connection);
  const auto owned = connections_.find(connection);
  loop_->DeleteLater(std::move(owned->second));
  connections_.erase(owned);
}

AppConnection* AppHub::Find(absl::string_view app_id) {
  const auto it = by_app_.find(app_id);
  return it == by_app_.end() ? nullptr : it->second;
}

}  // namespace bellwire::agent
