// The part of DeviceTransaction about the end of a device. The rest of it is in
// device_transaction.cc.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/mailbox/retention.h"

namespace bellwire::registry {

using storage::v1::Registration;

void DeviceTransaction::Revoke(bool deleting) {
  storage::v1::Device& device = mutable_device();
  if (device.revoked_at_ms() == 0) device.set_revoked_at_ms(now_ms_);
  if (deleting) device.set_deleting(true);
  if (!device.has_route()) return;
  device.clear_route();
  device.set_sent_up_to_seq(device.last_seq());
}

absl::StatusOr<std::vector<MessageRef>> DeviceTransaction::FindLives(size_t max) {
  std::vector<MessageRef> lives;
  BELLWIRE_RETURN_IF_ERROR(overlay_.Scan(Family::kLives, LivesFrom(id_), LivesEnd(id_),
                                         [&](absl::string_view key, absl::string_view) {
                                           lives.push_back(MessageOfLifeKey(key));
                                           return lives.size() < max;
                                         }));
  return lives;
}

absl::Status DeviceTransaction::ForgetLife(const MessageRef& message,
                                           const storage::v1::MessageLife& life) {
  if (life.seq() != 0) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::optional<storage::v1::NowOrNever> number,
                              FindNowOrNever(life.seq()));
    if (number.has_value()) EraseNumber(life.seq(), life);
  }
  DeleteLife(message, life);
  return absl::OkStatus();
}

absl::StatusOr<size_t> DeviceTransaction::ForgetEnded(size_t max) {
  std::vector<uint64_t> registrations;
  BELLWIRE_RETURN_IF_ERROR(overlay_.Scan(Family::kDevices, RegistrationsFrom(id_),
                                         RegistrationsEnd(id_),
                                         [&](absl::string_view key, absl::string_view) {
                                           registrations.push_back(IdOfRegistrationKey(key));
                                           return registrations.size() < max;
                                         }));
  for (const uint64_t id : registrations) {
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(id));
    DeleteTimeline({.time_ms = ForgetAtMs(*found),
                    .kind = TimelineEntry::Kind::kRegistration,
                    .message = {.registration_id = id}});
    DeleteRegistration(id);
    storage::v1::Device& device = mutable_device();
    device.set_registrations(device.registrations() - 1);
  }
  return registrations.size();
}

}  // namespace bellwire::registry
