#include "registry/engine/store_error.h"

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::registry {

absl::Status StoreUnavailableError(absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                   absl::StrCat("the registry can't use its store now: ", why));
}

absl::Status StoreCorruptError(absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "STORE_CORRUPT",
                   absl::StrCat("the registry's store is damaged: ", what));
}

absl::Status TeamNotFoundError(absl::string_view team_id) {
  return MakeError(absl::StatusCode::kNotFound, "TEAM_NOT_FOUND",
                   absl::StrCat("no team has the id \"", team_id, "\""));
}

absl::Status KeyNotFoundError(absl::string_view key_id) {
  return MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND",
                   absl::StrCat("no key has the id \"", key_id, "\""));
}

absl::Status MessageNotFoundError() {
  return MakeError(absl::StatusCode::kNotFound, "MESSAGE_NOT_FOUND",
                   "no message of this id was accepted for this token, or its receipts are too old "
                   "and were forgotten");
}

absl::Status BadFieldError(absl::string_view field, absl::string_view what) {
  return WithField(
      MakeError(absl::StatusCode::kInvalidArgument, "BAD_REQUEST", absl::StrCat(field, ": ", what)),
      field);
}

}  // namespace bellwire::registry
