#include "device-agent/companion/agent_hub.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "device-agent/apps/names_in_logs.h"

namespace bellwire::companion {
namespace {

Message MessageOf(const agent::v1::Delivery& delivery) {
  Message message;
  message.instance = delivery.instance();
  message.delivery_id = delivery.delivery_id();
  message.message_id = delivery.message_id();
  message.payload = delivery.payload();
  message.door = delivery.content().door();
  message.encoding = delivery.content().encoding();
  message.encryption = delivery.content().encryption();
  message.crypto_key = delivery.content().crypto_key();
  message.priority = delivery.priority();
  message.redelivered = delivery.redelivered();
  return message;
}

// Distributor::kPrefix: what is no app's is a browser's.
constexpr absl::string_view kUnifiedPushPrefix = "up:";

void LogStoreFailure(absl::string_view instance, const absl::Status& status) {
  LogError("subscription_not_written",
           {{"instance", agent::InstanceInLogs(instance)}, {"error", status.message()}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<AgentHub>> AgentHub::Create(std::unique_ptr<SubscriptionStore> store,
                                                           const ClientFactory& make_client,
                                                           Post post, bool receipts) {
  std::unique_ptr<AgentHub> hub(new AgentHub(std::move(store), std::move(post), receipts));
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<SubscriptionStore::Entry> entries, hub->store_->Load());
  BELLWIRE_ASSIGN_OR_RETURN(hub->client_, make_client(hub->Callbacks()));
  for (SubscriptionStore::Entry& entry : entries) {
    const std::string instance = entry.subscription.instance;
    if (entry.dying) hub->client_->Unsubscribe(instance);
    hub->entries_[instance] = std::move(entry);
  }
  hub->CountSubscriptions();
  return hub;
}

AgentHub::~AgentHub() { *alive_ = false; }

agent::CompanionCallbacks AgentHub::Callbacks() {
  agent::CompanionCallbacks callbacks;
  callbacks.on_delivery = [this](const agent::v1::Delivery& delivery) {
    SubscriptionFront* const front = FrontOf(delivery.instance());
    if (front != nullptr && Find(delivery.instance()) != nullptr) {
      CountsOf(delivery.instance()).received.Add();
      front->OnMessage(MessageOf(delivery));
    }
  };
  callbacks.on_gap = [this](const agent::v1::Gap& gap) {
    SubscriptionFront* const front = FrontOf(gap.instance());
    if (front != nullptr && Find(gap.instance()) != nullptr) {
      CountsOf(gap.instance()).dropped.Add(gap.dropped());
      front->OnGap(gap.instance(), gap.dropped(), gap.delivery_id());
    }
  };
  callbacks.on_endpoint = [this](const std::string& instance, const std::string& endpoint) {
    OnEndpoint(instance, endpoint);
  };
  callbacks.on_unsubscribed = [this](const std::string& instance) { OnUnsubscribed(instance); };
  callbacks.on_error = [this](const std::string& instance, agent::v1::Error::Code code,
                              const std::string& message) { OnError(instance, code, message); };
  callbacks.on_connected = [this](const std::string&) { SetConnected(true); };
  callbacks.on_disconnected = [this] { SetConnected(false); };
  return callbacks;
}

void AgentHub::Attach(const std::string& prefix, SubscriptionFront* front) {
  const bool known = fronts_.count(prefix) != 0;
  fronts_[prefix] = front;
  if (known || front == nullptr) return;
  for (const auto& [instance, entry] : entries_) {
    if (!entry.dying && absl::StartsWith(instance, prefix)) AskAgent(entry.subscription);
  }
}

absl::Status AgentHub::Subscribe(const Subscription& subscription) {
  BELLWIRE_RETURN_IF_ERROR(CheckSubscription(subscription));
  const auto it = entries_.find(subscription.instance);
  const bool lives = it != entries_.end() && !it->second.dying;
  if (lives && (it->second.subscription.vapid_key != subscription.vapid_key ||
                it->second.subscription.owner != subscription.owner)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "subscription ", subscription.instance, ": its owner and its key are for its whole life"));
  }
  if (it != entries_.end() && !lives) {
    return absl::InvalidArgumentError(
        absl::StrCat("subscription ", subscription.instance, " was used before: take a new name"));
  }
  if (!lives) BELLWIRE_RETURN_IF_ERROR(CheckRoomFor(subscription.owner));
  SubscriptionStore::Entry entry;
  entry.subscription = subscription;
  entry.subscription.endpoint = lives ? it->second.subscription.endpoint : "";
  BELLWIRE_RETURN_IF_ERROR(store_->Put(entry.subscription));
  entries_[subscription.instance] = entry;
  CountSubscriptions();

  if (entry.subscription.endpoint.empty()) {
    AskAgent(entry.subscription);
    return absl::OkStatus();
  }
  // The agent was asked when the hub learned of it, and says so itself if the endpoint changes.
  post_([this, alive = alive_, instance = subscription.instance] {
    if (!*alive) return;
    const Subscription* const known = Find(instance);
    SubscriptionFront* const front = FrontOf(instance);
    if (known != nullptr && front != nullptr) front->OnEndpoint(instance, known->endpoint);
  });
  return absl::OkStatus();
}

absl::Status AgentHub::CheckRoomFor(const std::string& owner) const {
  const auto of_owner = absl::c_count_if(
      entries_, [&owner](const auto& e) { return e.second.subscription.owner == owner; });
  if (entries_.size() < kMaxSubscriptions &&
      static_cast<size_t>(of_owner) < kMaxSubscriptionsPerOwner) {
    return absl::OkStatus();
  }
  return MakeError(
      absl::StatusCode::kResourceExhausted, "TOO_MANY_SUBSCRIPTIONS",
      absl::StrCat(owner, " has ", of_owner, " subscriptions of ", kMaxSubscriptionsPerOwner,
                   ", and all software of this user ", entries_.size(), " of ", kMaxSubscriptions,
                   ": take some away (dead ones count until the agent is there)"));
}

absl::Status AgentHub::Unsubscribe(const std::string& instance) {
  const auto it = entries_.find(instance);
  if (it == entries_.end() || it->second.dying) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(store_->SetDying(instance));
  it->second.dying = true;
  CountSubscriptions();
  client_->Unsubscribe(instance);
  return absl::OkStatus();
}

void AgentHub::Ack(const std::string& instance, uint64_t delivery_id) {
  if (Find(instance) == nullptr) return;
  CountsOf(instance).taken.Add();
  client_->Ack(instance, delivery_id);
}

const Subscription* AgentHub::Find(absl::string_view instance) const {
  const auto it = entries_.find(instance);
  return it == entries_.end() || it->second.dying ? nullptr : &it->second.subscription;
}

std::vector<Subscription> AgentHub::List(absl::string_view prefix) const {
  std::vector<Subscription> list;
  for (const auto& [instance, entry] : entries_) {
    if (!entry.dying && absl::StartsWith(instance, prefix)) list.push_back(entry.subscription);
  }
  return list;
}

void AgentHub::OnEndpoint(const std::string& instance, const std::string& endpoint) {
  const auto it = entries_.find(instance);
  if (it == entries_.end() || it->second.dying) return;
  Subscription& subscription = it->second.subscription;
  if (subscription.endpoint != endpoint) {
    // Without it on disk the next start asks the agent, which says the same.
    if (absl::Status s = store_->SetEndpoint(instance, endpoint); !s.ok()) {
      LogStoreFailure(instance, s);
    }
    subscription.endpoint = endpoint;
  }
  if (SubscriptionFront* const front = FrontOf(instance)) front->OnEndpoint(instance, endpoint);
}

void AgentHub::OnUnsubscribed(const std::string& instance) {
  const auto it = entries_.find(instance);
  // One that was refused and is subscribed anew lives, whatever becomes of the former one.
  if (it == entries_.end() || !it->second.dying) return;
  // Left on disk it is unsubscribed once more at the next start, which does no harm.
  if (absl::Status s = store_->Remove(instance); !s.ok()) LogStoreFailure(instance, s);
  entries_.erase(it);
  if (SubscriptionFront* const front = FrontOf(instance)) front->OnUnsubscribed(instance);
}

void AgentHub::OnError(const std::string& instance, agent::v1::Error::Code code,
                       const std::string& message) {
  LogWarning("agent_refuses", {{"instance", agent::InstanceInLogs(instance)},
                               {"code", agent::v1::Error::Code_Name(code)},
                               {"message", message}});
  const auto it = entries_.find(instance);
  if (it == entries_.end() || it->second.dying) return;
  if (it->second.subscription.endpoint.empty()) {
    if (absl::Status s = store_->Remove(instance); !s.ok()) LogStoreFailure(instance, s);
    entries_.erase(it);
    CountSubscriptions();
    // The client remembers what was refused until it is told otherwise.
    client_->Unsubscribe(instance);
  }
  if (SubscriptionFront* const front = FrontOf(instance)) front->OnError(instance, code, message);
}

void AgentHub::SetConnected(bool connected) {
  if (connected_ == connected) return;
  connected_ = connected;
  LogInfo(connected ? "agent_connected" : "agent_away");
  for (const auto& [prefix, front] : fronts_) {
    if (front != nullptr) front->OnAgent(connected);
  }
}

SubscriptionFront* AgentHub::FrontOf(absl::string_view instance) const {
  for (const auto& [prefix, front] : fronts_) {
    if (absl::StartsWith(instance, prefix)) return front;
  }
  return nullptr;
}

AgentHub::Counts& AgentHub::CountsOf(absl::string_view instance) {
  return absl::StartsWith(instance, kUnifiedPushPrefix) ? unifiedpush_ : browsers_;
}

void AgentHub::CountSubscriptions() {
  size_t of_apps = 0;
  size_t all = 0;
  for (const auto& [instance, entry] : entries_) {
    if (entry.dying) continue;
    ++all;
    if (absl::StartsWith(instance, kUnifiedPushPrefix)) ++of_apps;
  }
  unifiedpush_.subscriptions = of_apps;
  browsers_.subscriptions = all - of_apps;
}

void AgentHub::Report(metrics::Samples* samples) const {
  samples->Add(metrics::kCompanionConnected, connected_ ? 1 : 0);
  const auto report = [samples](absl::string_view front, const Counts& counts) {
    samples->Add(metrics::kCompanionSubscriptions, {front},
                 static_cast<double>(counts.subscriptions.load()));
    samples->Add(metrics::kCompanionMessages, {front, "received"}, counts.received);
    samples->Add(metrics::kCompanionMessages, {front, "taken"}, counts.taken);
    samples->Add(metrics::kCompanionMessages, {front, "dropped"}, counts.dropped);
  };
  report("unifiedpush", unifiedpush_);
  report("browser", browsers_);
}

void AgentHub::AskAgent(const Subscription& subscription) {
  agent::v1::Subscribe request;
  request.set_instance(subscription.instance);
  request.set_owner(subscription.owner);
  request.set_vapid_key(subscription.vapid_key);
  request.set_receipts(receipts_);
  client_->Subscribe(request);
}

}  // namespace bellwire::companion
