#ifndef BELLWIRE_REGISTRY_MAILBOX_APPEND_H_
#define BELLWIRE_REGISTRY_MAILBOX_APPEND_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/limits.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// Of all subscriptions of a device, which share it: what ten of them may have waiting.
inline constexpr uint32_t kMaxSubscriptionMessagesPerDevice = 10 * kMaxMailboxMessagesPerApp;

struct AppendOutcome {
  // RESOURCE_EXHAUSTED MAILBOX_FULL or QUOTA_EXCEEDED: the message is refused, but the transaction
  // counts (the app is told). OK: `result` is the answer.
  absl::Status refused;
  AppendResult result;
};

// Whether the quotas of a registration's team, app and token allow one more message.
using AdmitByQuota = absl::FunctionRef<absl::Status(const storage::v1::Registration&)>;

// Store::Append. `admit` is asked about a message that was not accepted before. An error leaves
// nothing to finish.
absl::StatusOr<AppendOutcome> Append(DeviceTransaction& tx, const TokenRef& token,
                                     const Envelope& message, bool message_id_is_new,
                                     AdmitByQuota admit);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_APPEND_H_
