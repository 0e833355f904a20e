#include "registry/mailbox/registration.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/catalogue/app_lives.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {

using storage::v1::Pending;
using storage::v1::Registration;

namespace {

// To look for dead ones reads all registrations of the device. So an app may have a few more of them
// than its bound for a while.
constexpr size_t kRegistrationsPerSearch = 16;

struct DeadRegistration {
  int64_t removed_at_ms;
  uint64_t id;
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
    tx.DeleteTimeline(
        {.time_ms = dead.removed_at_ms + absl::ToInt64Milliseconds(kDeadTokenRetention),
         .kind = TimelineEntry::Kind::kRegistration,
         .message = {.registration_id = dead.id}});
    tx.DeleteRegistration(dead.id);
  }
  storage::v1::Device& device = tx.mutable_device();
  device.set_registrations(device.registrations() - static_cast<uint32_t>(registrations.size()));
  return absl::OkStatus();
}

// Sees to a place for one more registration, of this app: dead ones go, the oldest first.
absl::Status MakeRoom(DeviceTransaction& tx, absl::string_view app_id) {
  const size_t all = tx.device().registrations();
  const size_t dead = all - tx.device().live_registrations();
  const bool is_full = all >= kMaxRegistrationsPerDevice;
  const bool may_be_too_many_of_app =
      dead >= kMaxDeadRegistrationsPerApp && all % kRegistrationsPerSearch == 0;
  if (!is_full && !may_be_too_many_of_app) return absl::OkStatus();
  std::vector<DeadRegistration> of_device;
  std::vector<DeadRegistration> of_app;
  BELLWIRE_RETURN_IF_ERROR(tx.ScanRegistrations([&](uint64_t id, const Registration& registration) {
    if (registration.removed_at_ms() == 0) return;
    of_device.push_back({registration.removed_at_ms(), id});
    if (registration.app_id() == app_id) of_app.push_back(of_device.back());
  }));
  std::vector<DeadRegistration> oldest;
  if (of_app.size() >= kMaxDeadRegistrationsPerApp) {
    oldest = std::move(of_app);
    std::sort(oldest.begin(), oldest.end());
    oldest.resize(oldest.size() / 2);
  } else if (is_full) {
    oldest = std::move(of_device);
    std::sort(oldest.begin(), oldest.end());
    oldest.resize(std::min(oldest.size(), kMaxRegistrationsPerDevice / 4));
  }
  return Forget(tx, oldest);
}

}  // namespace

absl::StatusOr<uint64_t> RegisterApp(DeviceTransaction& tx, const admin::v1::App& app) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t living, tx.FindApp(app.app_id()));
  if (living != 0) {
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, tx.FindRegistration(living));
    if (found == nullptr) return StoreCorruptError("an app without registration");
    if (IsRegistrationOf(*found, app)) return living;
    // It is of an app that was deleted. This one has its name and nothing else.
    BELLWIRE_RETURN_IF_ERROR(RemoveApp(tx, app.app_id(), living));
  }
  if (tx.device().live_registrations() >= kMaxAppsPerDevice) {
    return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                     absl::StrCat("a device has at most ", kMaxAppsPerDevice, " apps"));
  }
  BELLWIRE_RETURN_IF_ERROR(MakeRoom(tx, app.app_id()));
  // The token names the registration and nothing else keeps two lives of an app apart, so its number
  // must never have been another's.
  uint64_t id = 0;
  while (true) {
    id = tx.Random();
    if (id == 0) continue;
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* taken, tx.FindRegistration(id));
    if (taken == nullptr) break;
  }
  Registration registration;
  registration.set_app_id(app.app_id());
  registration.set_team_id(app.team_id());
  registration.set_overflow_policy(app.overflow_policy());
  registration.set_created_at_ms(tx.now_ms());
  registration.set_app_created_at_ms(AppCreatedAtMs(app));
  tx.AddRegistration(id, std::move(registration));
  tx.PutApp(app.app_id(), id);
  storage::v1::Device& device = tx.mutable_device();
  device.set_registrations(device.registrations() + 1);
  device.set_live_registrations(device.live_registrations() + 1);
  device.set_registrations_xor(device.registrations_xor() ^ id);
  return id;
}

absl::Status RemoveApp(DeviceTransaction& tx, absl::string_view app_id, uint64_t registration_id) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t id, tx.FindApp(app_id));
  if (id == 0) return absl::OkStatus();
  // The request is late: that one has ended, and the app was registered again since.
  if (registration_id != 0 && registration_id != id) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, tx.FindRegistration(id));
  if (found == nullptr) return StoreCorruptError("an app without registration");
  const std::vector<Pending> all(found->pending().begin(), found->pending().end());
  for (const Pending& pending : all) {
    BELLWIRE_RETURN_IF_ERROR(
        tx.EndPending(id, pending, push::v1::UNREGISTERED, "the app was removed from the device"));
  }
  Registration* registration = tx.MutableRegistration(id);
  if (registration->gap_seq() != 0) {
    tx.RemoveMail(registration->gap_seq());
    registration->clear_gap_seq();
    registration->clear_gap_untold();
  }
  registration->set_removed_at_ms(tx.now_ms());
  tx.RecordDeadToken(id, "the app was removed from the device");
  tx.PutTimeline({.time_ms = tx.now_ms() + absl::ToInt64Milliseconds(kDeadTokenRetention),
                  .kind = TimelineEntry::Kind::kRegistration,
                  .message = {.registration_id = id}});
  tx.DeleteApp(app_id);
  storage::v1::Device& device = tx.mutable_device();
  device.set_live_registrations(device.live_registrations() - 1);
  device.set_registrations_xor(device.registrations_xor() ^ id);
  return absl::OkStatus();
}

}  // namespace bellwire::registry
