#ifndef BELLWIRE_REGISTRY_SERVER_DAEMON_H_
#define BELLWIRE_REGISTRY_SERVER_DAEMON_H_

#include <cstddef>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "ops/main_support.h"
#include "ops/metrics/daemon_metrics.h"
#include "registry/devices/device_policy.h"
#include "registry/server/privacy_flags.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace bellwire::registry {

// What the mains of bellwire-registry and of its twin on a failing disk (tests/faults) share.

struct RegistryFlags : DaemonFlags {
  std::string data_dir;
  std::string listen = "127.0.0.1:7445";
  // A name of SubscriptionPolicies().
  std::string subscriptions = "vapid";
  DeviceFlags devices;
  std::string backup_dir;
  PrivacyFlags privacy;
  // Empty: as `listen`.
  std::string advertise_address;
  // Empty: the store is in DATA_DIR.
  std::string database;
  std::string database_durability = "standby";
  size_t database_cache_mib = 256;
  metrics::MetricsFlags metrics_flags;
};

// Adds the flags above, those of every daemon included. `flags` outlives `app`.
void AddRegistryFlags(CLI::App* app, RegistryFlags* flags);

// Serves until SIGTERM or SIGINT. `env` is where faults are injected into the store's files; null:
// the machine's files. Not owned.
absl::Status RunRegistry(const RegistryFlags& flags, rocksdb::Env* env);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_DAEMON_H_
