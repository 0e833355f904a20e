#include "device-agent/core/registrar.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "device-agent/apps/fair_share.h"

namespace bellwire::agent {

using device::v1::AppRegistered;

Registrar::Registrar(const Clock* clock, Inbox* inbox, absl::BitGenRef random, Owner* owner)
    : clock_(clock),
      inbox_(inbox),
      owner_(owner),
      registered_(clock),
      backoff_(kReconnectBase, kReconnectMax, random) {}

void Registrar::Want(const std::string& app_id, const AppOwner& owner) {
  const bool known = inbox_->Find(app_id) != nullptr || wants_.contains(app_id);
  if (!known && !HasPlaceFor(owner.uid)) {
    return owner_->OnRefused(app_id, v1::Error::LIMIT_REACHED,
                             "too many apps of this user, or of all, are on this phone");
  }
  Wish& want = wants_.try_emplace(app_id, Wish{.owner = owner}).first->second;
  want.asked = true;
  if (want.withdrawn) want.wanted_again = true;
  Pump();
}

bool Registrar::HasPlaceFor(uid_t uid) const {
  const auto& registered = inbox_->registrations();
  size_t taken = registered.size();
  size_t own = 0;
  for (const auto& [app_id, registration] : registered) own += registration.owner.uid == uid;
  for (const auto& [app_id, want] : wants_) {
    // One that is only verified has its place already.
    if (registered.contains(app_id)) continue;
    ++taken;
    own += want.owner.uid == uid;
  }
  return MayTakePlace(kMaxAppsPerDevice, taken, own);
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
      wants_.try_emplace(app_id, Wish{.owner = registration.owner});
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
    wish = Wish{.owner = wish.owner, .asked = wish.asked};
    it = over ? wants_.erase(it) : std::next(it);
  }
}

absl::Status Registrar::OnAppRegistered(const AppRegistered& answer) {
  const auto request = requests_.find(answer.request_id());
  if (request == requests_.end() || request->second.removal) return absl::OkStatus();
  const std::string app_id = request->second.app_id;
  requests_.erase(request);
  const auto want = wants_.find(app_id);
  const Wish wanted = want->second;
  if (answer.registrations_tag() != 0) server_tag_ = answer.registrations_tag();

  v1::Error::Code code = v1::Error::CODE_UNSPECIFIED;
  absl::string_view message;
  switch (answer.outcome()) {
    case AppRegistered::OK:
      if (answer.registration_id() == 0 || answer.token().empty() ||
          answer.token().size() > kMaxTokenChars) {
        return absl::InvalidArgumentError("AppRegistered without a token");
      }
      {
        const Registration* known = inbox_->Find(app_id);
        const bool is_news = known == nullptr ||
                             known->registration_id != answer.registration_id() ||
                             known->token != answer.token();
        // Before the want is forgotten: if the disk fails, the next session asks again.
        if (is_news) {
          BELLWIRE_RETURN_IF_ERROR(
              inbox_->Register(app_id, {wanted.owner, answer.registration_id(), answer.token()}));
        }
        backoff_.Reset();
        wants_.erase(want);
        if (wanted.withdrawn) {
          if (wanted.wanted_again) wants_[app_id] = Wish{.owner = wanted.owner, .asked = true};
          BELLWIRE_RETURN_IF_ERROR(inbox_->Unregister(app_id));
        } else {
          if (is_news) {
            if (const auto unsaid = registered_.Take()) {
              LogInfo("app_registered", {{"app", app_id}, {"unsaid", *unsaid}});
            }
          }
          if (is_news || wanted.asked) owner_->OnRegistered(app_id);
        }
        Pump();
        return KeepTag();
      }
    case AppRegistered::UNKNOWN_APP:
      code = v1::Error::UNKNOWN_APP;
      message = "no developer has registered this app id on the server";
      break;
    case AppRegistered::LIMIT_REACHED:
      code = v1::Error::LIMIT_REACHED;
      message = "too many apps on this phone";
      break;
    case AppRegistered::BAD_APP_ID:
      code = v1::Error::BAD_APP_ID;
      message = "the server does not take this app id";
      break;
    default:  // UNAVAILABLE, or something that a later server says.
      want->second.request_id = 0;
      RetryLater();
      return absl::OkStatus();
  }
  BELLWIRE_RETURN_IF_ERROR(inbox_->VoidToken(app_id));
  wants_.erase(want);
  if (!wanted.withdrawn || wanted.wanted_again) owner_->OnRefused(app_id, code, message);
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
    const bool asked = std::any_of(requests_.begin(), requests_.end(), [&](const auto& r) {
      return r.second.removal && r.second.app_id == app_id;
    });
    if (asked) continue;
    if (requests_.size() >= kMaxPendingAppRequests) return;
    uint32_t request_id = 0;
    Ask(app_id, /*removal=*/true, &request_id);
  }
  for (auto& [app_id, want] : wants_) {
    if (want.request_id != 0 || inbox_->IsRemovalPending(app_id)) continue;
    if (requests_.size() >= kMaxPendingAppRequests) return;
    Ask(app_id, /*removal=*/false, &want.request_id);
  }
}

void Registrar::Ask(const std::string& app_id, bool removal, uint32_t* request_id) {
  if (++last_request_id_ == 0) ++last_request_id_;
  *request_id = last_request_id_;
  requests_[*request_id] = {app_id, removal};
  device::v1::AgentFrame frame;
  if (removal) {
    frame.mutable_remove_app()->set_request_id(*request_id);
    frame.mutable_remove_app()->set_app_id(app_id);
    // Another registration is none of this removal's business, whenever it arrives.
    frame.mutable_remove_app()->set_registration_id(inbox_->RemovedRegistration(app_id));
  } else {
    frame.mutable_register_app()->set_request_id(*request_id);
    frame.mutable_register_app()->set_app_id(app_id);
  }
  owner_->SendRequest(frame);
}

}  // namespace bellwire::agent
