#ifndef BELLWIRE_BENCH_BATTERY_SIMULATION_H_
#define BELLWIRE_BENCH_BATTERY_SIMULATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "bench/battery/rival_policies.h"
#include "bench/battery/scenario.h"
#include "common/clock.h"
#include "device-agent/heartbeat/heartbeat_policy.h"

namespace bellwire::bench {

// A way to time heartbeats, made anew for each run.
struct Contender {
  std::string name;
  std::function<std::unique_ptr<agent::HeartbeatPolicy>(NetworkSource, const Clock*)> make;
};

// Ours comes first.
std::vector<Contender> AllContenders();

// What came of one contender in one scenario.
struct Outcome {
  absl::Duration simulated;
  int64_t beats = 0;
  // Without the first day, in which some learn.
  int64_t beats_later = 0;
  // Attempts to connect: each wakes the radio as a beat does.
  int64_t connects = 0;
  // Silences that outlived a NAT's mapping, by week, and how long the phone was deaf in them.
  std::vector<int> dead_windows_by_week;
  absl::Duration deaf;
  // From acceptance to the phone, of each message.
  std::vector<absl::Duration> delays;
  // When the interval came to 90 % of what the network allows (and 27 min 45 s at most), without
  // dying, for a day at least. For scenarios of one network.
  std::optional<absl::Duration> reached_90_after;

  double days() const { return absl::FDivDuration(simulated, absl::Hours(24)); }
  double beats_per_day() const { return static_cast<double>(beats) / days(); }
  // Of a run of more than a day.
  double beats_per_day_later() const { return static_cast<double>(beats_later) / (days() - 1); }
  // Beats and connects; messages wake every contender's phone alike and are left out.
  double joule_per_day(double joule_per_wake) const {
    return static_cast<double>(beats + connects) * joule_per_wake / days();
  }
  int dead_windows() const;
  int dead_windows_first_week() const { return dead_windows_by_week.front(); }
  // The worst later week.
  int dead_windows_later_week() const;
  absl::Duration mean_delay() const;
  absl::Duration p95_delay() const;
};

// Everything follows from the seed; messages and outages are the same for every contender.
// REQUIRES: days > 0.
Outcome Simulate(const Scenario& scenario, const Contender& contender, int days, uint64_t seed);

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_BATTERY_SIMULATION_H_
