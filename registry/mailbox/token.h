#ifndef BELLWIRE_REGISTRY_MAILBOX_TOKEN_H_
#define BELLWIRE_REGISTRY_MAILBOX_TOKEN_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "registry/catalogue/app_lives.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// The registration that `token` names, living or dead, if the team may use it.
//   NOT_FOUND UNREGISTERED: a token that never lived here, or was forgotten.
//   PERMISSION_DENIED TOKEN_NOT_FOR_TEAM: of another team, or of a subscription where a team asks,
//   or the reverse.
absl::StatusOr<const storage::v1::Registration*> FindToken(DeviceTransaction& tx,
                                                           const TokenRef& token);

// As FindToken, and the token must live and take messages of this sender.
//   NOT_FOUND UNREGISTERED with metadata `unregistered_at`: it is dead.
//   PERMISSION_DENIED VAPID_KEY_MISMATCH: a subscription that is bound to another key.
absl::StatusOr<const storage::v1::Registration*> FindLivingToken(DeviceTransaction& tx,
                                                                 const TokenRef& token);

// OK unless the token's app was deleted from the server. A subscription has none.
//   As FindToken; and NOT_FOUND UNREGISTERED without a time: nothing of the app is kept that could
//   tell when.
absl::Status CheckAppLives(DeviceTransaction& tx, const TokenRef& token, AppLives& apps);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_TOKEN_H_
