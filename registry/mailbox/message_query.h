#ifndef BELLWIRE_REGISTRY_MAILBOX_MESSAGE_QUERY_H_
#define BELLWIRE_REGISTRY_MAILBOX_MESSAGE_QUERY_H_

#include "absl/status/statusor.h"
#include "bellwire/push/v1/push.pb.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// Store::GetMessage.
absl::StatusOr<push::v1::GetMessageResponse> GetMessage(DeviceTransaction& tx,
                                                        const TokenRef& token,
                                                        const MessageId& message);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_MESSAGE_QUERY_H_
