#ifndef BELLWIRE_REGISTRY_MAILBOX_RECALL_H_
#define BELLWIRE_REGISTRY_MAILBOX_RECALL_H_

#include "absl/status/statusor.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// Store::Recall.
absl::StatusOr<RecallResult> Recall(DeviceTransaction& tx, const TokenRef& token,
                                    const MessageId& message);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_RECALL_H_
