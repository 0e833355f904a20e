#ifndef BELLWIRE_CONNECTOR_DOORS_BELLWIRE_LOGIN_H_
#define BELLWIRE_CONNECTOR_DOORS_BELLWIRE_LOGIN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/device/v1/device.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/ids.h"
#include "connector/session/heartbeat_range.h"
#include "crypto/device_certificate.h"

namespace bellwire::connector {

// A device certificate is the longest (crypto/device_certificate.h).
inline constexpr size_t kMaxEnrolmentTokenBytes = kMaxDeviceCertificateChars;

// What a good Login says, in our terms.
struct CheckedLogin {
  DeviceId device_id;
  uint64_t login_number = 0;
  // The interval that the agent promised, kept within the range.
  absl::Duration heartbeat_interval;
  // ACTIVE or IDLE.
  device::v1::Activity activity = device::v1::ACTIVE;
  // The network that it is in, if it told.
  std::optional<internal::v1::NetworkReport> network;
  // The mailbox that it knows, 16 bytes or empty, and the greatest seq of it that it has received.
  std::string mailbox_id;
  uint64_t seen_up_to_seq = 0;
  // It wants the mailbox only if no other session has it.
  bool yields = false;
  // What lets it in if it is new. The registry judges it.
  std::string enrolment_token;
};

// Checks the form of a Login and that its sender has the key: by the signature over this
// connection's TLS exporter, or because the TLS session was resumed from a ticket that names this
// very device (`resumed_ticket_data`; empty: not resumed). Pure; about 50 µs of CPU time for a
// signature.
//   INVALID_ARGUMENT: a field breaks the protocol; the message says which
//   UNAUTHENTICATED: a bad key or signature
absl::StatusOr<CheckedLogin> CheckLogin(const device::v1::Login& login,
                                        absl::string_view tls_exporter,
                                        absl::string_view resumed_ticket_data,
                                        const HeartbeatRange& range = {});

// What the registry is told of a device's network. An interval that no heartbeat may have is left
// out.
//   INVALID_ARGUMENT: no network id
absl::StatusOr<internal::v1::NetworkReport> CheckNetworkReport(
    const device::v1::NetworkReport& report);

// The interval that counts for an agent that promised `interval_ms` (0: the upper bound).
absl::Duration EffectiveHeartbeatInterval(uint32_t interval_ms, const HeartbeatRange& range = {});

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_DOORS_BELLWIRE_LOGIN_H_
