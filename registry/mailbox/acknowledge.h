#ifndef BELLWIRE_REGISTRY_MAILBOX_ACKNOWLEDGE_H_
#define BELLWIRE_REGISTRY_MAILBOX_ACKNOWLEDGE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

// What devices and sessions say of messages. All of it is idempotent: what is settled already is
// passed over.
namespace bellwire::registry {

// Store::Acknowledge, but for the comparison of routes.
absl::Status Acknowledge(DeviceTransaction& tx, const std::vector<AckItem>& items);
// Store::AppAcknowledge.
absl::Status AppAcknowledge(DeviceTransaction& tx, const std::vector<AppAckItem>& items);
// Store::ReportSent.
absl::Status ReportSent(DeviceTransaction& tx, const std::vector<AckItem>& items);
// Store::Resolve.
absl::StatusOr<Step> Resolve(DeviceTransaction& tx, uint64_t seq);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_ACKNOWLEDGE_H_
