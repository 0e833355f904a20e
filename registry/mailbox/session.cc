#include "registry/mailbox/session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"
#include "registry/mailbox/page.h"

namespace bellwire::registry {

bool SameRoute(const Route& a, const Route& b) {
  return a.connector_address() == b.connector_address() &&
         a.connector_incarnation() == b.connector_incarnation() &&
         a.session_id() == b.session_id() && a.login_number() == b.login_number();
}

absl::Status CheckNotRevoked(const DeviceTransaction& tx) {
  if (tx.device().revoked_at_ms() == 0) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, "DEVICE_REVOKED",
                   "whoever runs the server has revoked this device");
}

namespace {

absl::Status StaleLoginError(const DeviceTransaction& tx) {
  const std::string number = absl::StrCat(tx.device().last_login_number());
  return WithMetadata(
      MakeError(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN",
                absl::StrCat("a newer login of this device, number ", number, ", has won")),
      "winning_login_number", number);
}

// Taking it would leave few numbers, or none, for all logins to come.
absl::Status LoginNumberTooGreatError(const DeviceTransaction& tx) {
  const std::string number = absl::StrCat(tx.device().last_login_number());
  return WithMetadata(MakeError(absl::StatusCode::kFailedPrecondition, "LOGIN_NUMBER_TOO_GREAT",
                                absl::StrCat("login_number is more than 2^53 above ", number,
                                             ", the last one of this device; continue from that")),
                      "winning_login_number", number);
}

}  // namespace

absl::Status SessionOverError(const DeviceTransaction& tx) {
  BELLWIRE_RETURN_IF_ERROR(CheckNotRevoked(tx));
  return StaleLoginError(tx);
}

absl::StatusOr<BindOutcome> Bind(DeviceTransaction& tx, const Route& route,
                                 const PageBounds& bounds, const BindOptions& options) {
  BELLWIRE_RETURN_IF_ERROR(CheckNotRevoked(tx));
  const bool bound_already = tx.connected() && SameRoute(tx.device().route(), route);
  // Compared with the greatest number ever bound, not with the bound route: a login that is late
  // must lose even if its successor has gone already.
  if (!bound_already && route.login_number() <= tx.device().last_login_number()) {
    return StaleLoginError(tx);
  }
  const uint64_t last_number = tx.device().last_login_number();
  if (!bound_already && route.login_number() > last_number &&
      route.login_number() - last_number > kMaxLoginNumberStep) {
    return LoginNumberTooGreatError(tx);
  }
  if (!bound_already && options.yields && tx.connected()) return StaleLoginError(tx);
  if (options.mailbox_id.has_value() && options.seen_up_to_seq > tx.device().last_seq() &&
      options.mailbox_id->bytes() == tx.device().mailbox_id()) {
    // The clock was behind as well when this process started, or its numbers would be greater. What
    // the device has seen under these numbers may be something else.
    LogWarning("store_behind_its_device", {{"device", ToHex(tx.device_id())},
                                           {"device_has_seen_up_to", options.seen_up_to_seq},
                                           {"last_number_here", tx.device().last_seq()},
                                           {"consequence", "its mailbox gets a new id"}});
    tx.RenewMailbox();
  }
  BindOutcome outcome;
  BindResult& result = outcome.result;
  result.settled_seq = tx.device().settled_seq();
  BELLWIRE_ASSIGN_OR_RETURN(result.page, ReadPage(tx, result.settled_seq, bounds));
  BELLWIRE_ASSIGN_OR_RETURN(const auto recalls, tx.RecallNotices());
  for (const auto& [message, seq] : recalls) {
    result.recalls.push_back({message.message_id, message.registration_id, seq});
  }
  if (!bound_already) {
    outcome.may_wait = tx.exists() && !tx.has_changes() && tx.device().mailbox_records() == 0 &&
                       tx.device().now_or_never_records() == 0 && recalls.empty();
    result.evicted = tx.route();
    tx.SetRoute(route);
  }
  const auto mailbox_id = MailboxId::FromBytes(tx.device().mailbox_id());
  if (!mailbox_id.has_value()) return StoreCorruptError("a device without mailbox id");
  result.mailbox_id = *mailbox_id;
  result.acked_up_to_seq = tx.device().acked_up_to_seq();
  result.registrations_xor = tx.device().registrations_xor();
  return outcome;
}

absl::StatusOr<bool> Resume(DeviceTransaction& tx, const Route& route,
                            std::optional<uint64_t> registrations_xor, uint64_t after_seq) {
  BELLWIRE_RETURN_IF_ERROR(CheckNotRevoked(tx));
  // A crash takes neither away: this store comes from a backup, or the device was deleted. A device
  // without a record would get another mailbox than the session was told.
  if (!tx.exists() || registrations_xor.value_or(tx.device().registrations_xor()) !=
                          tx.device().registrations_xor()) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "SESSION_FORGOTTEN",
        "this store comes from before the session, which knows other registrations: the "
        "device has to log in again");
  }
  const bool bound = tx.connected() && SameRoute(tx.device().route(), route);
  const uint64_t last_number = tx.device().last_login_number();
  if (!bound) {
    // Its own number without a route: a hand-over that came too late took it for gone.
    if (route.login_number() < last_number ||
        (route.login_number() == last_number && tx.connected())) {
      return StaleLoginError(tx);
    }
    tx.SetRoute(route);
  }
  return HasMailAfter(tx, after_seq);
}

void Unbind(DeviceTransaction& tx, const Route& route) {
  if (!tx.connected() || !SameRoute(tx.device().route(), route)) return;
  tx.mutable_device().clear_route();
  tx.mutable_device().set_sent_up_to_seq(tx.device().last_seq());
}

}  // namespace bellwire::registry
