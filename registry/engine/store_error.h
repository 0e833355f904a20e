#ifndef BELLWIRE_REGISTRY_ENGINE_STORE_ERROR_H_
#define BELLWIRE_REGISTRY_ENGINE_STORE_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// The errors of the registry that come from more than one place, so that each is worded once.
namespace bellwire::registry {

// UNAVAILABLE REGISTRY_UNAVAILABLE: the store can't be read or written now.
absl::Status StoreUnavailableError(absl::string_view why);
// DATA_LOSS STORE_CORRUPT: a record can't be what was written.
absl::Status StoreCorruptError(absl::string_view what);
// NOT_FOUND TEAM_NOT_FOUND
absl::Status TeamNotFoundError(absl::string_view team_id);
// NOT_FOUND KEY_NOT_FOUND
absl::Status KeyNotFoundError(absl::string_view key_id);
// NOT_FOUND MESSAGE_NOT_FOUND
absl::Status MessageNotFoundError();
// INVALID_ARGUMENT: a daemon sent what it should not; names the field.
absl::Status BadFieldError(absl::string_view field, absl::string_view what);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_STORE_ERROR_H_
