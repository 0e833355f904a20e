#ifndef BELLWIRE_TESTS_FAULTS_STORM_H_
#define BELLWIRE_TESTS_FAULTS_STORM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/faults/ledger.h"

namespace bellwire::tests {

// A storm: two gateways, two connectors, a registry and many phones as real processes, under a
// steady load of Sends, killed with SIGKILL at random moments and started again. The registry is
// now the ordinary program, now one on a FragileDisk, where SIGKILL is a power cut.
struct StormOptions {
  // The storm ends when all three are reached.
  int kills = 40;
  // Of the kills, those of a registry on a fragile disk.
  int power_cuts = 5;
  // Answered OK. The load is spread over the kills, so that each comes in the midst of it.
  int64_t messages = 10'000;

  // Draws who is killed, when, and what a power cut leaves. Threads and processes run as they do:
  // the same seed gives the same plan, not the same run.
  uint64_t seed = 1;
  int phones = 8;
  int apps_per_phone = 4;
  int senders = 3;
  // Between two kills, at random between nothing and twice as much. It takes longer if the messages
  // lag.
  absl::Duration kill_interval = absl::Milliseconds(300);
  // Called now and then with a line about how it goes. May be empty.
  std::function<void(const std::string& line)> progress;
};

struct StormReport {
  Ledger::Tally tally;
  int gateway_kills = 0;
  int connector_kills = 0;
  int agent_kills = 0;
  int registry_kills = 0;  // With the page cache left alone.
  int power_cuts = 0;
  int64_t retries = 0;
  int64_t duplicates = 0;
  // Of those in `tally`: sent as Web Pushes.
  int64_t web_pushes = 0;
  // Beside `tally`: Web Pushes without an Idempotency-Key. They may be shown again, at most as
  // often as an answer was lost.
  Ledger::Tally bare;
  size_t dropped = 0;  // What apps were told by gap notices.
  absl::Duration duration;
  // Everything that must not be, in words. Empty: the promise held.
  std::vector<std::string> violations;

  int kills() const {
    return gateway_kills + connector_kills + agent_kills + registry_kills + power_cuts;
  }
  // A table for people.
  std::string ToString() const;
};

// An error if the storm could not be held: a program doesn't start, or doesn't come back after it
// was killed, which is as bad as a violation.
absl::StatusOr<StormReport> RunStorm(const StormOptions& options);

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_FAULTS_STORM_H_
