#include "registry/devices/device_policy.h"

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "common/status_macros.h"
#include "crypto/file_util.h"

namespace bellwire::registry {

absl::StatusOr<DevicePolicy> DeviceFlags::policy() const {
  DevicePolicy policy = {.enrolled_only = devices == "enrolled" || !device_ca.empty(),
                         .new_devices_per_hour = new_devices_per_hour,
                         .max_devices = max_devices,
                         .max_registrations_per_device = max_registrations_per_device,
                         .only_known_devices = true};
  if (!device_ca.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::string pem, ReadWholeFile(device_ca));
    BELLWIRE_ASSIGN_OR_RETURN(policy.authority, DeviceAuthority::FromPem(pem, device_ca));
  }
  return policy;
}

void AddDeviceFlags(CLI::App* app, DeviceFlags* flags) {
  app->add_option(
         "--devices", flags->devices,
         "Who may be a device: everybody (open), or those that show a token of `bellwire "
         "device enroll` at their first login (enrolled). Devices that came in before stay")
      ->type_name("POLICY")
      ->check(CLI::IsMember({"open", "enrolled"}))
      ->capture_default_str();
  app->add_option("--device_ca", flags->device_ca,
                  "PEM file of the authorities whose certificates let a new device in, as a token "
                  "does. Closes the server to others, as --devices enrolled")
      ->type_name("FILE");
  app->add_option("--new_devices_per_hour", flags->new_devices_per_hour,
                  "New devices that come in within an hour, at most; once half of them have come, "
                  "addresses share the rest. 0: no bound")
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--max_devices", flags->max_devices,
                  "Devices of the store, at most; `bellwire device delete` makes room. 0: no bound")
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--max_registrations_per_device", flags->max_registrations_per_device,
                  "Apps and subscriptions of one device, at most")
      ->type_name("N")
      ->check(CLI::Range(uint32_t{1},
                         static_cast<uint32_t>(kMaxAppsPerDevice + kMaxSubscriptionsPerDevice)))
      ->capture_default_str();
}

}  // namespace bellwire::registry
