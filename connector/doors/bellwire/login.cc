#include "connector/doors/bellwire/login.h"

#include <algorithm>

#include "absl/status/status.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "crypto/device_key.h"

namespace bellwire::connector {

absl::Duration EffectiveHeartbeatInterval(uint32_t interval_ms, const HeartbeatRange& range) {
  if (interval_ms == 0) return range.max;
  return std::clamp<absl::Duration>(absl::Milliseconds(interval_ms), range.min, range.max);
}

absl::StatusOr<internal::v1::NetworkReport> CheckNetworkReport(
    const device::v1::NetworkReport& report) {
  if (report.network_id().size() != NetworkId::kSize) {
    return absl::InvalidArgumentError("network_id must be 16 bytes");
  }
  internal::v1::NetworkReport checked;
  checked.set_network_id(report.network_id());
  const absl::Duration interval = absl::Milliseconds(report.interval_ms());
  if (interval >= kMinHeartbeatInterval && interval <= kMaxHeartbeatInterval) {
    checked.set_interval_ms(report.interval_ms());
  }
  return checked;
}

absl::StatusOr<CheckedLogin> CheckLogin(const device::v1::Login& login,
                                        absl::string_view tls_exporter,
                                        absl::string_view resumed_ticket_data,
                                        const HeartbeatRange& range) {
  if (login.login_number() == 0) {
    return absl::InvalidArgumentError("login_number must not be zero");
  }
  if (login.agent_version().size() > kMaxAgentVersionBytes) {
    return absl::InvalidArgumentError("agent_version is too long");
  }
  if (!login.mailbox_id().empty() && login.mailbox_id().size() != MailboxId::kSize) {
    return absl::InvalidArgumentError("mailbox_id must be 16 bytes or absent");
  }
  if (login.enrolment_token().size() > kMaxEnrolmentTokenBytes) {
    return absl::InvalidArgumentError("enrolment_token is too long");
  }
  CheckedLogin checked;
  checked.enrolment_token = login.enrolment_token();
  checked.mailbox_id = login.mailbox_id();
  checked.seen_up_to_seq = login.seen_up_to_seq();
  checked.yields = login.yields();
  if (login.has_network()) {
    BELLWIRE_ASSIGN_OR_RETURN(checked.network, CheckNetworkReport(login.network()));
  }
  const absl::StatusOr<DeviceId> device_id = DeviceIdOf(login.public_key());
  if (!device_id.ok()) {
    return absl::UnauthenticatedError("public_key is not a P-256 key in DER");
  }
  // Resumption proves the possession of the ticket's secret, which only a connection that had shown
  // the signature was given. The key was parsed then; here its hash says that it is the same.
  const bool proven_by_ticket =
      !resumed_ticket_data.empty() && resumed_ticket_data == device_id->bytes();
  if (!proven_by_ticket) {
    const absl::Status verified =
        VerifyLogin(login.public_key(), tls_exporter, login.login_number(), login.signature());
    if (!verified.ok()) return absl::UnauthenticatedError(verified.message());
  }
  checked.device_id = *device_id;
  checked.login_number = login.login_number();
  checked.heartbeat_interval = EffectiveHeartbeatInterval(login.heartbeat_interval_ms(), range);
  checked.activity = login.activity() == device::v1::IDLE ? device::v1::IDLE : device::v1::ACTIVE;
  return checked;
}

}  // namespace bellwire::connector
