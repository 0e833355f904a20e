#ifndef BELLWIRE_REGISTRY_MAILBOX_REGISTRATION_H_
#define BELLWIRE_REGISTRY_MAILBOX_REGISTRATION_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

// Store::RegisterApp, the app being known.
absl::StatusOr<uint64_t> RegisterApp(DeviceTransaction& tx, const admin::v1::App& app);
// Store::RemoveApp.
absl::Status RemoveApp(DeviceTransaction& tx, absl::string_view app_id, uint64_t registration_id);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_REGISTRATION_H_
