// The part of DeviceConnection about devices that the registry does not take: new ones that may not
// come in, and those that were revoked.

#include <algorithm>
#include <string>

#include "common/error.h"
#include "connector/doors/bellwire/device_connection.h"

namespace bellwire::connector {
namespace {

// When a new device asks again that the server takes no more of now: a registry that knows better
// says so.
constexpr absl::Duration kNewDeviceRetryAfterMin = absl::Minutes(1);
constexpr absl::Duration kNewDeviceRetryAfterMax = absl::Minutes(30);

// The device is new, and may not come in.
bool IsAboutNewDevices(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  return reason == "ENROLMENT_REQUIRED" || reason == "BAD_ENROLMENT" ||
         reason == "TOO_MANY_DEVICES" || reason == "TOO_MANY_NEW_DEVICES";
}

}  // namespace

void DeviceConnection::Revoked() {
  EndWithGoAway(device::v1::GoAway::REVOKED, CloseReason::kRevoked,
                "whoever runs the server has revoked this device");
}

bool DeviceConnection::EndIfRevoked(const absl::Status& status) {
  if (ErrorReason(status) != "DEVICE_REVOKED") return false;
  Revoked();
  return true;
}

bool DeviceConnection::EndIfNotTakenIn(const absl::Status& status) {
  if (!IsAboutNewDevices(status)) return false;
  if (absl::IsUnauthenticated(status)) {
    EndWithGoAway(device::v1::GoAway::NOT_ENROLLED, CloseReason::kNotEnrolled, status.message());
    return true;
  }
  const absl::Duration wait =
      std::clamp<absl::Duration>(RetryAfter(status).value_or(kNewDeviceRetryAfterMin),
                                 kNewDeviceRetryAfterMin, kNewDeviceRetryAfterMax);
  device::v1::ConnectorFrame frame;
  frame.mutable_go_away()->set_reason(device::v1::GoAway::NO_NEW_DEVICES);
  frame.mutable_go_away()->set_retry_after_ms(RandomMs(wait, 2 * wait));
  frame.mutable_go_away()->set_detail(std::string(status.message()));
  Send(frame);
  End(CloseReason::kNoNewDevices, status.message());
  return true;
}

}  // namespace bellwire::connector
