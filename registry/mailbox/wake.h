#ifndef BELLWIRE_REGISTRY_MAILBOX_WAKE_H_
#define BELLWIRE_REGISTRY_MAILBOX_WAKE_H_

#include "absl/status/status.h"
#include "registry/keys/keys.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

// Does what a timeline entry that has come due is about, and takes the entry away. An entry that
// came too early, or whose record has gone, does nothing. REQUIRES: the entry is of this device and
// its time has come.
absl::Status Wake(DeviceTransaction& tx, const TimelineEntry& entry);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_WAKE_H_
