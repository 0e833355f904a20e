#ifndef BELLWIRE_REGISTRY_MAILBOX_APPEND_H_
#define BELLWIRE_REGISTRY_MAILBOX_APPEND_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

namespace bellwire::registry {

struct AppendOutcome {
  // RESOURCE_EXHAUSTED MAILBOX_FULL: the message is refused, but the transaction counts (the app is
  // told). OK: `result` is the answer.
  absl::Status refused;
  AppendResult result;
};

// Store::Append. An error leaves nothing to finish.
absl::StatusOr<AppendOutcome> Append(DeviceTransaction& tx, const TokenRef& token,
                                     const Envelope& message, bool message_id_is_new);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_APPEND_H_
