#ifndef BELLWIRE_REGISTRY_MAILBOX_REGISTRATION_H_
#define BELLWIRE_REGISTRY_MAILBOX_REGISTRATION_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/limits.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

// A browser with its pages' subscriptions, and some apps; beside kMaxAppsPerDevice and dead ones.
inline constexpr size_t kMaxSubscriptionsPerDevice = 512;
static_assert(kMaxAppsPerDevice + kMaxSubscriptionsPerDevice <= kMaxRegistrationsPerDevice / 2);
// One page's loop takes an eighth of that.
inline constexpr size_t kMaxSubscriptionsPerOwner = 64;

// Store::RegisterApp, the app being known. `max_live`: of apps and subscriptions of the device.
absl::StatusOr<uint64_t> RegisterApp(DeviceTransaction& tx, const admin::v1::App& app,
                                     absl::string_view owner, size_t max_live);
// Store::RemoveApp. `detail`: why, for receipts; empty: the device asked for it.
absl::Status RemoveApp(DeviceTransaction& tx, absl::string_view app_id, absl::string_view owner,
                       uint64_t registration_id, absl::string_view detail = "");
// Store::RegisterSubscription and RemoveSubscription.
absl::StatusOr<uint64_t> RegisterSubscription(DeviceTransaction& tx,
                                              const internal::v1::Subscription& wanted,
                                              size_t max_live);
absl::Status RemoveSubscription(DeviceTransaction& tx, absl::string_view instance,
                                uint64_t registration_id, absl::string_view detail = "");

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_REGISTRATION_H_
