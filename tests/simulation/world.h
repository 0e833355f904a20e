#ifndef BELLWIRE_TESTS_SIMULATION_WORLD_H_
#define BELLWIRE_TESTS_SIMULATION_WORLD_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/model.h"

namespace bellwire::simulation {

// What a run is made of. The same options give the same run.
struct WorldOptions {
  uint64_t seed = 1;
  int devices = 10;
  int apps = 3;
  int connectors = 3;
  int gateways = 2;
  // To each device.
  double messages_per_day = 30;
  // How often things go wrong: as often as `rates` say on a bad day, so much more often, or never
  // (0).
  double faults = 1;
  FaultRates rates;
  // How long things go wrong while providers send. They go on for two calm hours, and five quiet
  // ones follow, in which everything has to come to its end.
  absl::Duration time = absl::Hours(24);
  // Where the devices' disks are made and removed again; best in memory.
  std::string directory = "/dev/shm";
  // Called each simulated hour.
  std::function<void(const std::string& line)> progress;
};

struct Report {
  std::optional<Model::Violation> violation;
  // What happened around it, for a person.
  std::string trace;
  uint64_t trace_hash = 0;
  uint64_t events = 0;
  Model::Counts counts;
};

// Runs a whole system: one registry, gateways, connectors, devices with apps, and providers.
Report RunWorld(const WorldOptions& options);

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_WORLD_H_
