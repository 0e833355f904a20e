#ifndef BELLWIRE_BENCH_BATTERY_SCENARIO_H_
#define BELLWIRE_BENCH_BATTERY_SCENARIO_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "device-agent/heartbeat/network_key.h"

namespace bellwire::bench {

// A network as a heartbeat sees it.
struct Network {
  agent::NetworkKey key;
  // Silence after which its NAT has forgotten a connection; infinite: it never does.
  absl::Duration nat_timeout = absl::InfiniteDuration();
  // Each time by so much more or less, evenly.
  absl::Duration jitter;
  // What the server tells who arrives here. Zero: nothing.
  absl::Duration hint;
};

// Where a phone is and what it gets. The segments repeat.
struct Scenario {
  struct Segment {
    Network network;
    absl::Duration length;
  };
  // For tables and JSON.
  std::string name;
  std::vector<Segment> segments;
  // At random times (Poisson).
  double messages_per_day = 0;
  // Tunnels, lifts: the network is away for one to ten minutes.
  double outages_per_day = 0;
};

// One phone in one network.
Scenario StayIn(std::string name, Network network, double messages_per_day);

// Those that issue after issue about push services tells of; docs/internals/heartbeat.md explains
// the choice.
std::vector<Scenario> StandardScenarios();

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_BATTERY_SCENARIO_H_
