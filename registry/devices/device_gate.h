#ifndef BELLWIRE_REGISTRY_DEVICES_DEVICE_GATE_H_
#define BELLWIRE_REGISTRY_DEVICES_DEVICE_GATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/devices.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/samples.h"
#include "registry/devices/device_count.h"
#include "registry/devices/device_policy.h"
#include "registry/devices/new_devices.h"
#include "registry/engine/overlay.h"
#include "registry/keys/feeds.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

// Who comes in as a device: what the policy says, and what is counted for it. Not thread-safe, but
// for Report.
class DeviceGate {
 public:
  // Where registries share a store.
  struct Sharing {
    Feeds feeds;
    // The part of all devices that this registry owns, in [0, 1]: so many of the new devices of an
    // hour come to it, since the hash spreads them. Empty: all.
    std::function<double()> share;
    // Whether it owns the device. Empty: it owns all.
    std::function<bool(const DeviceId&)> owns;
  };

  // Both outlive it. Changes are staged in `staged`.
  DeviceGate(DevicePolicy policy, Overlay* staged, const Clock* clock, Sharing sharing = {});

  // A device without a record wants to bind: OK if it may come in. `tx` is changed for it; what
  // else there is to stage comes into `admission`, for whoever stages `tx`. `enrolment_token`: a
  // token (crypto/enrolment_token.h), or a certificate (crypto/device_certificate.h).
  //   UNAUTHENTICATED ENROLMENT_REQUIRED, BAD_ENROLMENT
  //   RESOURCE_EXHAUSTED TOO_MANY_DEVICES, TOO_MANY_NEW_DEVICES, both with RetryInfo
  absl::Status Admit(DeviceTransaction& tx, absl::string_view enrolment_token,
                     absl::string_view peer, Overlay* admission);
  // The device wants an app, or a subscription, that it does not have.
  //   FAILED_PRECONDITION SESSION_FORGOTTEN · PERMISSION_DENIED DEVICE_REVOKED
  absl::Status CheckMayRegister(const DeviceTransaction& tx) const;
  // The most registrations that may live on one device.
  size_t max_registrations() const { return policy_.max_registrations_per_device; }
  // What came of it. For metrics.
  void OnRegistration(const absl::Status& status);

  // A transaction that makes or deletes a device is about to be staged: errors of KvReader …
  absl::Status PrepareChange(const DeviceTransaction& tx);
  // … and was. REQUIRES: PrepareChange was OK.
  void OnChange(const DeviceTransaction& tx);
  // The commit of what was staged failed.
  void OnCommitFailed() { count_.OnCommitFailed(); }

  // As Store::ListDevices. `route_of`: a route that is not written yet; null: none.
  absl::StatusOr<admin::v1::ListDevicesResponse> List(
      const std::optional<DeviceId>& after, size_t max,
      absl::FunctionRef<const internal::v1::Route*(const DeviceId&)> route_of);

  // Thread-safe.
  void Report(metrics::Samples* samples) const;

 private:
  // Of kDevicesRefused. In the order of kRefusals.
  enum class Refusal : uint8_t { kNotEnrolled, kTooManyDevices, kTooManyNewDevices };
  static constexpr size_t kRefusals = 3;

  absl::Status Refuse(Refusal refusal, absl::Status status);
  // What the device shows lets it in: by what, for administrators. Errors as Admit.
  absl::StatusOr<std::string> Enrol(const DeviceTransaction& tx, absl::string_view shown,
                                    Overlay* admission) const;

  const DevicePolicy policy_;
  const Sharing sharing_;
  Overlay* const staged_;
  const Clock* const clock_;
  DeviceCount count_;
  NewDevices new_devices_;
  metrics::Counter admitted_;
  std::array<metrics::Counter, kRefusals> refused_;
  metrics::Counter registrations_refused_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_DEVICE_GATE_H_
