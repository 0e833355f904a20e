#include "registry/mailbox/token.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace bellwire::registry {

using storage::v1::Registration;

namespace {

std::string FormatDeath(int64_t time_ms) {
  return absl::FormatTime(absl::RFC3339_sec, absl::FromUnixMillis(time_ms), absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<const Registration*> FindToken(DeviceTransaction& tx, const TokenRef& token) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                            tx.FindRegistration(token.registration_id));
  if (registration == nullptr) {
    return MakeError(absl::StatusCode::kNotFound, "UNREGISTERED",
                     "the token is not known: its app was removed long ago, or it is of another "
                     "server. Forget it.");
  }
  // Before anything else is said about it.
  if (registration->team_id() != token.team_id) {
    return MakeError(absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM",
                     registration->team_id().empty()
                         ? "the token is of a subscription, not an app's"
                     : token.team_id.empty() ? "the token is of a team's app"
                                             : "the token belongs to an app of another team");
  }
  return registration;
}

absl::StatusOr<const Registration*> FindLivingToken(DeviceTransaction& tx, const TokenRef& token) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration, FindToken(tx, token));
  if (registration->removed_at_ms() != 0) {
    const std::string when = FormatDeath(registration->removed_at_ms());
    return WithMetadata(
        MakeError(
            absl::StatusCode::kNotFound, "UNREGISTERED",
            absl::StrCat("the app was removed from its device at ", when,
                         ". Forget the token; if the app is installed again it gets a new one.")),
        "unregistered_at", when);
  }
  if (const int64_t revoked_at_ms = tx.device().revoked_at_ms(); revoked_at_ms != 0) {
    // It lives no longer than until the next steps of the device's end.
    return WithMetadata(
        MakeError(absl::StatusCode::kNotFound, "UNREGISTERED",
                  "its device may not receive messages any more. Forget the token."),
        "unregistered_at", FormatDeath(revoked_at_ms));
  }
  const std::string& bound_key = registration->subscription().vapid_key();
  if (token.vapid_key.has_value() && !bound_key.empty() && *token.vapid_key != bound_key) {
    return MakeError(absl::StatusCode::kPermissionDenied, "VAPID_KEY_MISMATCH",
                     token.vapid_key->empty()
                         ? "the subscription is bound to a VAPID key: sign the request with it"
                         : "the subscription is bound to another VAPID key than the request's");
  }
  return registration;
}

absl::Status CheckAppLives(DeviceTransaction& tx, const TokenRef& token, AppLives& apps) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration, FindToken(tx, token));
  // FindLivingToken says that it is dead, and since when.
  if (registration->removed_at_ms() != 0 || registration->has_subscription()) {
    return absl::OkStatus();
  }
  BELLWIRE_ASSIGN_OR_RETURN(const bool lives, apps.Lives(*registration));
  if (lives) return absl::OkStatus();
  return MakeError(absl::StatusCode::kNotFound, "UNREGISTERED",
                   absl::StrCat("the app ", registration->app_id(),
                                " was deleted from the server. Forget the token."));
}

}  // namespace bellwire::registry
