#ifndef BELLWIRE_REGISTRY_DEVICES_DEVICE_POLICY_H_
#define BELLWIRE_REGISTRY_DEVICES_DEVICE_POLICY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/limits.h"
#include "crypto/device_certificate.h"
#include "registry/mailbox/registration.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bellwire::registry {

// Who may be a device, and how many there may be. The default bounds nothing.
struct DevicePolicy {
  // A new device needs an enrolment token, or a certificate of `authority`.
  bool enrolled_only = false;
  // Null: no certificate lets a device in.
  std::shared_ptr<const DeviceAuthority> authority = nullptr;
  // New devices in an hour, of all addresses together (new_devices.h). 0: no bound.
  uint64_t new_devices_per_hour = 0;
  // Devices of the store. 0: no bound.
  uint64_t max_devices = 0;
  // Apps and subscriptions that live on one device.
  uint32_t max_registrations_per_device = kMaxAppsPerDevice + kMaxSubscriptionsPerDevice;
  // Apps are registered on devices that have logged in only. Without it a registration makes the
  // device, as tests like it.
  bool only_known_devices = false;
};

// The policy as flags say it. Thread-compatible.
struct DeviceFlags {
  std::string devices = "open";
  // Empty: none.
  std::string device_ca;
  // 28 a second: more than a provider's customers bring, and days of an attacker's work until
  // max_devices is reached.
  uint64_t new_devices_per_hour = 100'000;
  uint64_t max_devices = 10'000'000;
  uint32_t max_registrations_per_device = kMaxAppsPerDevice + kMaxSubscriptionsPerDevice;

  // Reads the file of --device_ca. Errors of DeviceAuthority::FromPem and of ReadWholeFile.
  absl::StatusOr<DevicePolicy> policy() const;
};

// Adds --devices, --device_ca, --new_devices_per_hour, --max_devices and
// --max_registrations_per_device. `flags` outlives the parse.
void AddDeviceFlags(CLI::App* app, DeviceFlags* flags);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_DEVICE_POLICY_H_
