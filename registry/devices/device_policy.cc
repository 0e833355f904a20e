#include "registry/devices/device_policy.h"

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"

namespace bellwire::registry {

DevicePolicy DeviceFlags::policy() const {
  return {.enrolled_only = devices == "enrolled",
          .new_devices_per_hour = new_devices_per_hour,
          .max_devices = max_devices,
          .max_registrations_per_device = max_registrations_per_device,
          .only_known_devices = true};
}

void AddDeviceFlags(CLI::App* app, DeviceFlags* flags) {
  app->add_option(
         "--devices", flags->devices,
         "Who may be a device: everybody (open), or those that show a token of `bellwire "
         "device enroll` at their first login (enrolled). Devices that came in before stay")
      ->type_name("POLICY")
      ->check(CLI::IsMember({"open", "enrolled"}))
      ->capture_default_str();
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
