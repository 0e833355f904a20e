#include "registry/mailbox/registration.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/catalogue/app_lives.h"
#include "registry/engine/store_error.h"
#include "registry/mailbox/retention.h"
#include "registry/topics/subscriptions.h"

namespace bellwire::registry {

using internal::v1::Subscription;
using storage::v1::Pending;
using storage::v1::Registration;

namespace {

// To look for dead ones reads all registrations of the device. So an app may have a few more of
// them than its bound for a while.
constexpr size_t kRegistrationsPerSearch = 16;

struct DeadRegistration {
  int64_t removed_at_ms;
  uint64_t id;
  int64_t forget_at_ms;
  friend auto operator<=>(const DeadRegistration&, const DeadRegistration&) = default;
};

// Forgets these dead registrations before their time. Their tokens still answer UNREGISTERED,
// because they are sealed, but not since when. The messages of theirs that the device has end now:
// nothing that comes later would find their team.
absl::Status Forget(DeviceTransaction& tx, const std::vector<DeadRegistration>& registrations) {
  if (registrations.empty()) return absl::OkStatus();
  std::set<uint64_t> ids;
  for (const DeadRegistration& dead : registrations) ids.insert(dead.id);
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<MessageRef> open, tx.FindOpenLivesOf(ids));
  for (const MessageRef& ref : open) {
    BELLWIRE_ASSIGN_OR_RETURN(MessageLife life, tx.GetLife(ref));
    BELLWIRE_RETURN_IF_ERROR(
        tx.Record(ref, &life, push::v1::UNREGISTERED,
                  "the app was removed; the device did not say what became of the message"));
  }
  for (const DeadRegistration& dead : registrations) {
    BELLWIRE_RETURN_IF_ERROR(tx.FindRegistration(dead.id).status());
    tx.DeleteTimeline({.time_ms = dead.forget_at_ms,
                       .kind = TimelineEntry::Kind::kRegistration,
                       .message = {.registration_id = dead.id}});
    tx.DeleteRegistration(dead.id);
  }
  storage::v1::Device& device = tx.mutable_device();
  device.set_registrations(device.registrations() - static_cast<uint32_t>(registrations.size()));
  return absl::OkStatus();
}

// Sees to a place for one more registration: dead ones go, the oldest first. `is_same` says which
// of them are of the same app, or of the same owner of subscriptions.
absl::Status MakeRoom(DeviceTransaction& tx,
                      absl::FunctionRef<bool(const Registration& registration)> is_same) {
  const size_t all = tx.device().registrations();
  const size_t dead = all - tx.device().live_registrations();
  const bool is_full = all >= kMaxRegistrationsPerDevice;
  const bool may_be_too_many_of_same =
      dead >= kMaxDeadRegistrationsPerApp && all % kRegistrationsPerSearch == 0;
  if (!is_full && !may_be_too_many_of_same) return absl::OkStatus();
  std::vector<DeadRegistration> of_device;
  std::vector<DeadRegistration> of_same;
  BELLWIRE_RETURN_IF_ERROR(tx.ScanRegistrations([&](uint64_t id, const Registration& registration) {
    if (registration.removed_at_ms() == 0) return;
    of_device.push_back({registration.removed_at_ms(), id, ForgetAtMs(registration)});
    if (is_same(registration)) of_same.push_back(of_device.back());
  }));
  std::vector<DeadRegistration> oldest;
  if (of_same.size() >= kMaxDeadRegistrationsPerApp) {
    oldest = std::move(of_same);
    std::sort(oldest.begin(), oldest.end());
    oldest.resize(oldest.size() / 2);
  } else if (is_full) {
    oldest = std::move(of_device);
    std::sort(oldest.begin(), oldest.end());
    oldest.resize(std::min(oldest.size(), kMaxRegistrationsPerDevice / 4));
  }
  return Forget(tx, oldest);
}

// Begins the life of `registration`, and answers its id.
absl::StatusOr<uint64_t> Begin(DeviceTransaction& tx, Registration registration) {
  // The token names the registration and nothing else keeps two lives of an app apart, so its
  // number must never have been another's.
  uint64_t id = 0;
  while (true) {
    id = tx.Random();
    if (id == 0) continue;
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* taken, tx.FindRegistration(id));
    if (taken == nullptr) break;
  }
  registration.set_created_at_ms(tx.now_ms());
  tx.AddRegistration(id, std::move(registration));
  storage::v1::Device& device = tx.mutable_device();
  device.set_registrations(device.registrations() + 1);
  device.set_live_registrations(device.live_registrations() + 1);
  device.set_registrations_xor(device.registrations_xor() ^ id);
  return id;
}

// Ends a life: the token dies, and so does what waits. The caller takes away the entry that leads
// to it.
absl::Status End(DeviceTransaction& tx, uint64_t id, absl::string_view detail) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, tx.FindRegistration(id));
  if (found == nullptr) return StoreCorruptError("an app without registration");
  const std::vector<Pending> all(found->pending().begin(), found->pending().end());
  for (const Pending& pending : all) {
    BELLWIRE_RETURN_IF_ERROR(tx.EndPending(id, pending, push::v1::UNREGISTERED, detail));
  }
  Registration* registration = tx.MutableRegistration(id);
  if (registration->gap_seq() != 0) {
    tx.RemoveMail(registration->gap_seq());
    registration->clear_gap_seq();
    registration->clear_gap_untold();
  }
  registration->set_removed_at_ms(tx.now_ms());
  tx.RecordDeadToken(id, detail);
  if (registration->topics() != 0) {
    BELLWIRE_RETURN_IF_ERROR(EndTopics(tx, id, std::string(registration->team_id())));
  }
  const int64_t forget_at_ms =
      tx.now_ms() + absl::ToInt64Milliseconds(tx.retention().dead_tokens);
  tx.MutableRegistration(id)->set_forget_at_ms(forget_at_ms);
  tx.PutTimeline({.time_ms = forget_at_ms,
                  .kind = TimelineEntry::Kind::kRegistration,
                  .message = {.registration_id = id}});
  storage::v1::Device& device = tx.mutable_device();
  device.set_live_registrations(device.live_registrations() - 1);
  device.set_registrations_xor(device.registrations_xor() ^ id);
  return absl::OkStatus();
}

// Ends a living subscription.
absl::Status EndSubscription(DeviceTransaction& tx, absl::string_view instance, uint64_t id,
                             absl::string_view detail = "") {
  BELLWIRE_RETURN_IF_ERROR(
      End(tx, id, detail.empty() ? "the device ended the subscription" : detail));
  tx.DeleteSubscription(instance);
  storage::v1::Device& device = tx.mutable_device();
  device.set_live_subscriptions(device.live_subscriptions() - 1);
  return absl::OkStatus();
}

// OK if the server lets the device have one more of any kind.
absl::Status CheckRegistrationsLeft(const DeviceTransaction& tx, size_t max_live) {
  if (tx.device().live_registrations() < max_live) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                   absl::StrCat("this server takes at most ", max_live,
                                " apps and subscriptions of one device"));
}

// OK if the device and this owner may have one more.
absl::Status CheckSubscriptionsLeft(DeviceTransaction& tx, absl::string_view owner) {
  const size_t living = tx.device().live_subscriptions();
  if (living >= kMaxSubscriptionsPerDevice) {
    return MakeError(
        absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
        absl::StrCat("a device has at most ", kMaxSubscriptionsPerDevice, " subscriptions"));
  }
  if (living < kMaxSubscriptionsPerOwner) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(const size_t of_owner, tx.CountSubscriptionsOf(owner));
  if (of_owner < kMaxSubscriptionsPerOwner) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                   absl::StrCat("one owner has at most ", kMaxSubscriptionsPerOwner,
                                " subscriptions on a device"));
}

}  // namespace

absl::StatusOr<uint64_t> RegisterApp(DeviceTransaction& tx, const admin::v1::App& app,
                                     absl::string_view owner, size_t max_live) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t living, tx.FindApp(app.app_id(), owner));
  if (living != 0) {
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, tx.FindRegistration(living));
    if (found == nullptr) return StoreCorruptError("an app without registration");
    if (IsRegistrationOf(*found, app)) return living;
    // It is of an app that was deleted. This one has its name and nothing else.
    BELLWIRE_RETURN_IF_ERROR(RemoveApp(tx, app.app_id(), owner, living));
  }
  if (tx.device().live_registrations() - tx.device().live_subscriptions() >= kMaxAppsPerDevice) {
    return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                     absl::StrCat("a device has at most ", kMaxAppsPerDevice, " apps"));
  }
  BELLWIRE_RETURN_IF_ERROR(CheckRegistrationsLeft(tx, max_live));
  BELLWIRE_RETURN_IF_ERROR(
      MakeRoom(tx, [&](const Registration& other) { return other.app_id() == app.app_id(); }));
  Registration registration;
  registration.set_app_id(app.app_id());
  registration.set_team_id(app.team_id());
  registration.set_overflow_policy(app.overflow_policy());
  registration.set_owner(std::string(owner));
  registration.set_app_created_at_ms(AppCreatedAtMs(app));
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t id, Begin(tx, std::move(registration)));
  tx.PutApp(app.app_id(), owner, id);
  return id;
}

absl::Status RemoveApp(DeviceTransaction& tx, absl::string_view app_id, absl::string_view owner,
                       uint64_t registration_id, absl::string_view detail) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t id, tx.FindApp(app_id, owner));
  if (id == 0) return absl::OkStatus();
  // The request is late: that one has ended, and the app was registered again since.
  if (registration_id != 0 && registration_id != id) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(
      End(tx, id, detail.empty() ? "the app was removed from the device" : detail));
  tx.DeleteApp(app_id, owner);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> RegisterSubscription(DeviceTransaction& tx, const Subscription& wanted,
                                              size_t max_live) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t living, tx.FindSubscription(wanted.instance()));
  if (living != 0) {
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, tx.FindRegistration(living));
    if (found == nullptr) return StoreCorruptError("a subscription without registration");
    const Subscription& now = found->subscription();
    if (now.vapid_key() == wanted.vapid_key()) {
      if (now.owner() != wanted.owner() || now.receipts() != wanted.receipts()) {
        *tx.MutableRegistration(living)->mutable_subscription() = wanted;
        tx.PutSubscription(wanted, living);
      }
      return living;
    }
    // Who holds the old key must not reach the app any more.
    BELLWIRE_RETURN_IF_ERROR(EndSubscription(tx, wanted.instance(), living));
  } else {
    // Not where one takes another's place.
    BELLWIRE_RETURN_IF_ERROR(CheckSubscriptionsLeft(tx, wanted.owner()));
    BELLWIRE_RETURN_IF_ERROR(CheckRegistrationsLeft(tx, max_live));
  }
  BELLWIRE_RETURN_IF_ERROR(MakeRoom(tx, [&](const Registration& other) {
    return other.has_subscription() && other.subscription().owner() == wanted.owner();
  }));
  Registration registration;
  *registration.mutable_subscription() = wanted;
  // The sender is told, and nothing that was accepted is lost.
  registration.set_overflow_policy(admin::v1::REFUSE_NEWEST);
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t id, Begin(tx, std::move(registration)));
  tx.PutSubscription(wanted, id);
  storage::v1::Device& device = tx.mutable_device();
  device.set_live_subscriptions(device.live_subscriptions() + 1);
  return id;
}

absl::Status RemoveSubscription(DeviceTransaction& tx, absl::string_view instance,
                                uint64_t registration_id, absl::string_view detail) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t id, tx.FindSubscription(instance));
  if (id == 0 || (registration_id != 0 && registration_id != id)) return absl::OkStatus();
  return EndSubscription(tx, instance, id, detail);
}

}  // namespace bellwire::registry
