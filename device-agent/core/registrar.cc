#include "device-agent/core/registrar.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "device-agent/apps/app_key.h"
#include "device-agent/apps/fair_share.h"
#include "device-agent/apps/names_in_logs.h"

namespace bellwire::agent {

using device::v1::AppRegistered;

namespace {

// What an app is told whose registration the server refused. CODE_UNSPECIFIED: it may be asked
// again.
struct Refusal {
  v1::Error::Code code = v1::Error::CODE_UNSPECIFIED;
  absl::string_view message;
};

Refusal RefusalOf(AppRegistered::Outcome outcome, bool is_subscription) {
  switch (outcome) {
    case AppRegistered::UNKNOWN_APP:
      return {v1::Error::UNKNOWN_APP, "no developer has registered this app id on the server"};
    case AppRegistered::LIMIT_REACHED:
      return {v1::Error::LIMIT_REACHED,
              is_subscription ? "too many subscriptions of this owner, or on this phone"
                              : "too many apps on this phone"};
    case AppRegistered::BAD_APP_ID:
      return {v1::Error::BAD_APP_ID, "the server does not take this app id"};
    case AppRegistered::VAPID_REQUIRED:
      return {v1::Error::VAPID_REQUIRED, "the server wants a VAPID key for every subscription"};
    case AppRegistered::SUBSCRIPTIONS_OFF:
      return {v1::Error::SUBSCRIPTIONS_OFF, "the server takes no subscriptions"};
    case AppRegistered::BAD_SUBSCRIPTION:
      return {v1::Error::BAD_SUBSCRIPTION,
              "the server does not take this subscription: is its VAPID key a P-256 point?"};
    default:  // UNAVAILABLE, or something that a later server says.
      return {};
  }
}

}  // namespace

Registrar::Registrar(const Clock* clock, Inbox* inbox, const SubscriptionNames* names,
                     absl::BitGenRef random, Owner* owner)
    : clock_(clock),
      inbox_(inbox),
      names_(names),
      owner_(owner),
      registered_(clock),
      backoff_(kReconnectBase, kReconnectMax, random) {}

void Registrar::Want(const std::string& app_id, const AppOwner& owner,
                     std::optional<Subscription> subscription) {
  const bool known = inbox_->Find(app_id) != nullptr || wants_.contains(app_id);
  if (!known && !HasPlaceFor(owner.uid, subscription)) {
    return owner_->OnRefused(
        app_id, v1::Error::LIMIT_REACHED,
        subscription.has_value()
            ? "too many subscriptions of this owner or user, or of all, are on this phone"
            : "too many apps of this user, or of all, are on this phone");
  }
  Wish& want = wants_.try_emplace(app_id, Wish{.owner = owner}).first->second;
  want.subscription = std::move(subscription);
  want.asked = true;
  if (want.withdrawn) want.wanted_again = true;
  Pump();
}

bool Registrar::HasPlaceFor(uid_t uid, const std::optional<Subscription>& subscription) const {
  size_t taken = 0;
  size_t own = 0;
  size_t same_owner = 0;
  // Apps and subscriptions don't take each other's places.
  const auto count = [&](uid_t other_uid, const std::optional<Subscription>& other) {
    if (other.has_value() != subscription.has_value()) return;
    ++taken;
    if (other_uid != uid) return;
    ++own;
    same_owner += other.has_value() && other->owner == subscription->owner;
  };
  const auto& registered = inbox_->registrations();
  for (const auto& [app_id, registration] : registered) {
    count(registration.owner.uid, registration.subscription);
  }
  for (const auto& [app_id, want] : wants_) {
    // One that is only verified has its place already.
    if (!registered.contains(app_id)) count(want.owner.uid, want.subscription);
  }
  if (!subscription.has_value()) return MayTakePlace(kMaxAppsPerDevice, taken, own);
  return same_owner < kMaxSubscriptionsPerOwner && MayTakePlace(kMaxSubscriptions, taken, own);
}

void Registrar::Unwant(const std::string& app_id) {
  const auto it = wants_.find(app_id);
  if (it == wants_.end() || it->second.request_id != 0) return;
  // An app whose token a new server is to replace gets it also while it is away.
  if (inbox_->Find(app_id) == nullptr) wants_.erase(it);
}

absl::Status Registrar::Unregister(const std::string& app_id) {
  BELLWIRE_RETURN_IF_ERROR(inbox_->Unregister(app_id));
  if (const auto it = wants_.find(app_id); it != wants_.end()) {
    if (it->second.request_id == 0) {
      wants_.erase(it);
    } else {
      it->second.withdrawn = true;
    }
  }
  Pump();
  return absl::OkStatus();
}

void Registrar::OnSessionStart(uint64_t server_tag) {
  in_session_ = true;
  retry_at_.reset();
  server_tag_ = server_tag;
  const bool verify = server_tag != 0 && server_tag != inbox_->registrations_tag();
  if (verify) LogInfo("registrations_verified", {{"apps", inbox_->registrations().size()}});
  for (const auto& [app_id, registration] : inbox_->registrations()) {
    if (verify || registration.token.empty()) {
      wants_.try_emplace(
          app_id, Wish{.owner = registration.owner, .subscription = registration.subscription});
    }
  }
  Pump();
  // With nothing to ask for it is right as it is. If the disk fails, the next session asks again.
  KeepTag().IgnoreError();
}

absl::Status Registrar::KeepTag() {
  if (server_tag_ == 0 || !in_session_ || !requests_.empty() || !wants_.empty() ||
      !inbox_->PendingRemovals().empty()) {
    return absl::OkStatus();
  }
  return inbox_->SetRegistrationsTag(server_tag_);
}

void Registrar::OnSessionEnd() {
  in_session_ = false;
  requests_.clear();
  for (auto it = wants_.begin(); it != wants_.end();) {
    Wish& wish = it->second;
    // If the server heard it after all, that token is one which nobody ever learned.
    const bool over = wish.withdrawn && !wish.wanted_again;
    wish = Wish{
        .owner = wish.owner, .subscription = std::move(wish.subscription), .asked = wish.asked};
    it = over ? wants_.erase(it) : std::next(it);
  }
}

absl::Status Registrar::OnAppRegistered(const AppRegistered& answer) {
  const auto it = requests_.find(answer.request_id());
  if (it == requests_.end() || it->second.removal) return absl::OkStatus();
  const Request request = std::move(it->second);
  requests_.erase(it);
  if (answer.registrations_tag() != 0) server_tag_ = answer.registrations_tag();
  const std::string& app_id = request.app_id;
  Refusal refusal = RefusalOf(answer.outcome(), request.subscription.has_value());
  if (answer.outcome() == AppRegistered::OK) {
    if (!IsOfAnother(app_id, answer.registration_id())) return OnToken(request, answer);
    // Its token is somebody else's: this app is neither told it nor may it end it.
    refusal = {v1::Error::LIMIT_REACHED,
               "the server knows one user of an app on a phone only: it has to be updated"};
  }

  const auto want = wants_.find(app_id);
  if (refusal.code == v1::Error::CODE_UNSPECIFIED) {
    want->second.request_id = 0;
    RetryLater();
    return absl::OkStatus();
  }
  const bool is_wanted = !want->second.withdrawn || want->second.wanted_again;
  BELLWIRE_RETURN_IF_ERROR(inbox_->VoidToken(app_id));
  wants_.erase(want);
  if (is_wanted) owner_->OnRefused(app_id, refusal.code, refusal.message);
  Pump();
  return KeepTag();
}

bool Registrar::IsOfAnother(const std::string& app_id, uint64_t registration_id) const {
  const auto& all = inbox_->registrations();
  return std::any_of(all.begin(), all.end(), [&](const auto& entry) {
    return entry.second.registration_id == registration_id && entry.first != app_id &&
           AppIdOf(entry.first) == AppIdOf(app_id);
  });
}

absl::Status Registrar::OnToken(const Request& request, const AppRegistered& answer) {
  const std::string& app_id = request.app_id;
  // What the app is told: its token, or the URL that ends with it.
  const std::string& token = request.subscription.has_value() ? answer.endpoint() : answer.token();
  const size_t max_size = request.subscription.has_value() ? kMaxEndpointBytes : kMaxTokenChars;
  if (answer.registration_id() == 0 || token.empty() || token.size() > max_size) {
    return absl::InvalidArgumentError("AppRegistered without a token");
  }
  const Registration* known = inbox_->Find(app_id);
  const bool is_news = known == nullptr || known->registration_id != answer.registration_id() ||
                       known->token != token;
  const auto want = wants_.find(app_id);
  const Wish wish = want->second;
  // Before the want is forgotten: if the disk fails, the next session asks again.
  if (is_news || known->subscription != request.subscription) {
    BELLWIRE_RETURN_IF_ERROR(inbox_->Register(
        app_id,
        {wish.owner, answer.registration_id(), token, request.subscription, request.server_owner}));
  }
  backoff_.Reset();
  wants_.erase(want);
  if (wish.withdrawn) {
    if (wish.wanted_again) {
      wants_[app_id] = Wish{.owner = wish.owner, .subscription = wish.subscription, .asked = true};
    }
    BELLWIRE_RETURN_IF_ERROR(inbox_->Unregister(app_id));
  } else if (wish.subscription != request.subscription) {
    // The wish changed while the request was under way. Ask for what is wanted now.
    wants_[app_id] =
        Wish{.owner = wish.owner, .subscription = wish.subscription, .asked = wish.asked};
  } else {
    if (is_news) {
      if (const auto unsaid = registered_.Take()) {
        LogInfo("app_registered",
                {{"app", NameInLogs(app_id)}, {"uid", wish.owner.uid}, {"unsaid", *unsaid}});
      }
    }
    if (is_news || wish.asked) owner_->OnRegistered(app_id);
  }
  Pump();
  return KeepTag();
}

absl::Status Registrar::OnAppRemoved(const device::v1::AppRemoved& answer) {
  const auto request = requests_.find(answer.request_id());
  if (request == requests_.end() || !request->second.removal) return absl::OkStatus();
  const std::string app_id = request->second.app_id;
  requests_.erase(request);
  if (!answer.ok()) {
    RetryLater();
    return absl::OkStatus();
  }
  backoff_.Reset();
  if (answer.registrations_tag() != 0) server_tag_ = answer.registrations_tag();
  BELLWIRE_RETURN_IF_ERROR(inbox_->FinishRemoval(app_id));
  Pump();
  return KeepTag();
}

std::optional<MonotonicTime> Registrar::deadline() const {
  return in_session_ ? retry_at_ : std::nullopt;
}

void Registrar::OnDeadline() {
  if (!retry_at_.has_value() || clock_->Monotonic() < *retry_at_) return;
  retry_at_.reset();
  Pump();
}

void Registrar::RetryLater() {
  if (!retry_at_.has_value()) retry_at_ = clock_->Monotonic() + backoff_.Next();
}

void Registrar::Pump() {
  if (!in_session_ || retry_at_.has_value()) return;
  for (const std::string& app_id : inbox_->PendingRemovals()) {
    // One question about an app at a time: answers may overtake each other.
    const bool asked = std::any_of(requests_.begin(), requests_.end(),
                                   [&](const auto& r) { return r.second.app_id == app_id; });
    if (asked) continue;
    if (requests_.size() >= kMaxPendingAppRequests) return;
    AskToRemove(app_id);
  }
  for (auto& [app_id, want] : wants_) {
    if (want.request_id != 0 || inbox_->IsRemovalPending(app_id)) continue;
    if (requests_.size() >= kMaxPendingAppRequests) return;
    AskFor(app_id, &want);
  }
}

void Registrar::AskFor(const std::string& app_id, Wish* wish) {
  std::string server_owner;
  if (!wish->subscription.has_value()) {
    const Registration* known = inbox_->Find(app_id);
    server_owner = known != nullptr ? known->server_owner : names_->AppOwnerOf(app_id);
  }
  wish->request_id = NewRequest(
      {.app_id = app_id, .subscription = wish->subscription, .server_owner = server_owner});
  device::v1::AgentFrame frame;
  device::v1::RegisterApp* request = frame.mutable_register_app();
  request->set_request_id(wish->request_id);
  if (wish->subscription.has_value()) {
    device::v1::Subscription* subscription = request->mutable_subscription();
    subscription->set_instance(names_->InstanceOf(app_id));
    subscription->set_owner(names_->OwnerOf(wish->owner.uid, wish->subscription->owner));
    subscription->set_vapid_key(wish->subscription->vapid_key);
    subscription->set_receipts(wish->subscription->receipts);
  } else {
    request->set_app_id(AppIdOf(app_id));
    request->set_owner(server_owner);
  }
  owner_->SendRequest(frame);
}

void Registrar::AskToRemove(const std::string& app_id) {
  device::v1::AgentFrame frame;
  device::v1::RemoveApp* request = frame.mutable_remove_app();
  request->set_request_id(NewRequest({.app_id = app_id, .removal = true}));
  const Removal& removal = inbox_->RemovalOf(app_id);
  if (IsSubscriptionKey(app_id)) {
    request->set_instance(names_->InstanceOf(app_id));
  } else {
    request->set_app_id(AppIdOf(app_id));
    request->set_owner(removal.server_owner);
  }
  // Another registration is none of this removal's business, whenever it arrives.
  request->set_registration_id(removal.registration_id);
  owner_->SendRequest(frame);
}

uint32_t Registrar::NewRequest(Request request) {
  if (++last_request_id_ == 0) ++last_request_id_;
  requests_[last_request_id_] = std::move(request);
  return last_request_id_;
}

}  // namespace bellwire::agent
