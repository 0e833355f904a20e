#include "registry/mailbox/registration.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {

using storage::v1::Pending;
using storage::v1::Registration;

absl::StatusOr<uint64_t> RegisterApp(DeviceTransaction& tx, const admin::v1::App& app) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t living, tx.FindApp(app.app_id()));
  if (living != 0) return living;
  if (tx.device().live_registrations() >= kMaxAppsPerDevice ||
      tx.device().registrations() >= kMaxRegistrationsPerDevice) {
    return MakeError(
        absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
        absl::StrCat("a device has at most ", kMaxAppsPerDevice, " apps, and ",
                     kMaxRegistrationsPerDevice, " with those it had in the last weeks"));
  }
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
  tx.AddRegistration(id, std::move(registration));
  tx.PutApp(app.app_id(), id);
  storage::v1::Device& device = tx.mutable_device();
  device.set_registrations(device.registrations() + 1);
  device.set_live_registrations(device.live_registrations() + 1);
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
  }
  registration->set_removed_at_ms(tx.now_ms());
  tx.RecordDeadToken(id, "the app was removed from the device");
  tx.PutTimeline({.time_ms = tx.now_ms() + absl::ToInt64Milliseconds(kDeadTokenRetention),
                  .kind = TimelineEntry::Kind::kRegistration,
                  .message = {.registration_id = id}});
  tx.DeleteApp(app_id);
  storage::v1::Device& device = tx.mutable_device();
  device.set_live_registrations(device.live_registrations() - 1);
  return absl::OkStatus();
}

}  // namespace bellwire::registry
