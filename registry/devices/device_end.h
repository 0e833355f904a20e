#ifndef BELLWIRE_REGISTRY_DEVICES_DEVICE_END_H_
#define BELLWIRE_REGISTRY_DEVICES_DEVICE_END_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "registry/mailbox/device_transaction.h"

// How a device ends: revoked, so that it can't come back, or deleted, so that nothing of it is
// left. Either goes in steps, each a transaction with a bounded amount of work, and the first one
// turns the device away. Whoever is broken off leaves a device that is revoked, and records that
// fit to each other; the next step goes on where the last one was.
//
//   step 1…   Device.revoked_at_ms; living registrations end, and their messages with them: the
//             tokens are dead from the first step on, whatever is left
//   deleted:  topics of what was registered; lives of messages, those that are open end; dead
//             registrations and numbers of now-or-never messages; the device's own record
namespace bellwire::registry {

// One step ends so many registrations, and no further one beyond so many messages; or it forgets so
// many records. Some 10 ms.
inline constexpr size_t kMaxRegistrationsEndedPerStep = 64;
inline constexpr size_t kMaxMessagesEndedPerStep = 1000;
inline constexpr size_t kMaxRecordsForgottenPerStep = 1000;
// A count goes no further.
inline constexpr uint64_t kMaxLivesCounted = 10'000;

// What a step did, or what all of them would.
struct DeviceEndResult {
  uint32_t registrations = 0;
  uint32_t messages = 0;
  uint64_t lives = 0;
  // Nothing is left to do.
  bool done = false;
};

// What the end of this device would take. Changes nothing. `forget`: it would be deleted.
//   NOT_FOUND DEVICE_NOT_FOUND
absl::StatusOr<DeviceEndResult> CountDeviceEnd(DeviceTransaction& tx, bool forget);

// One step. `may_finish`: nothing of this device is in the outbox any more, so its own record may
// go. Repeat it until `done`.
//   NOT_FOUND DEVICE_NOT_FOUND
absl::StatusOr<DeviceEndResult> EndDeviceStep(DeviceTransaction& tx, bool forget, bool may_finish);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_DEVICE_END_H_
