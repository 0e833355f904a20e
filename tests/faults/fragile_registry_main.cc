// bellwire-registry on a disk that keeps only what was synced: SIGKILL is a power cut.

#include <memory>
#include <optional>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "registry/server/daemon.h"
#include "rocksdb/env.h"
#include "tests/faults/fragile_file_system.h"

int main(int argc, char** argv) {
  CLI::App app("bellwire-registry on a disk that keeps only what was synced", "fragile_registry");
  bellwire::registry::RegistryFlags flags;
  bellwire::registry::AddRegistryFlags(&app, &flags);
  uint64_t disk_seed = 0;
  // A good disk's. While a sync runs, what it is about is at risk.
  int sync_microseconds = 1000;
  app.add_option("--disk_seed", disk_seed, "Draws what reaches the disk without being synced");
  app.add_option("--sync_microseconds", sync_microseconds, "How long a sync takes")
      ->capture_default_str();
  if (std::optional<int> exit_code = bellwire::ParseFlags(&app, argc, argv)) return *exit_code;
  bellwire::tests::FragileDisk disk({.root = bellwire::DataDir(flags.data_dir).registry(),
                                     .seed = disk_seed,
                                     .sync_latency = absl::Microseconds(sync_microseconds)});
  const std::unique_ptr<rocksdb::Env> env = bellwire::tests::NewFragileEnv(&disk);
  const absl::Status status = bellwire::registry::RunRegistry(flags, env.get());
  return status.ok() ? bellwire::kExitOk : bellwire::ReportFailure(status);
}
