#ifndef BELLWIRE_REGISTRY_MAILBOX_SESSION_H_
#define BELLWIRE_REGISTRY_MAILBOX_SESSION_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// Whether both are the very same session: every field counts, so that what a replaced session still
// says can't be taken for the word of its successor.
bool SameRoute(const Route& a, const Route& b);

struct BindOutcome {
  BindResult result;
  // The route is all that changes, and nothing is handed out that relies on it: it may be written
  // later.
  bool may_wait = false;
};

// Store::Bind.
absl::StatusOr<BindOutcome> Bind(DeviceTransaction& tx, const Route& route,
                                 const PageBounds& bounds, const BindOptions& options);
// Store::Resume.
absl::StatusOr<bool> Resume(DeviceTransaction& tx, const Route& route,
                            std::optional<uint64_t> registrations_xor, uint64_t after_seq);
// Store::Unbind.
void Unbind(DeviceTransaction& tx, const Route& route);

// Why a session of this device is over: PERMISSION_DENIED DEVICE_REVOKED, or FAILED_PRECONDITION
// STALE_LOGIN, naming the login number that won.
absl::Status SessionOverError(const DeviceTransaction& tx);
// PERMISSION_DENIED DEVICE_REVOKED if it was. OK if it was not.
absl::Status CheckNotRevoked(const DeviceTransaction& tx);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_SESSION_H_
