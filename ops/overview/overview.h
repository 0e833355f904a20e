#ifndef BELLWIRE_OPS_OVERVIEW_OVERVIEW_H_
#define BELLWIRE_OPS_OVERVIEW_OVERVIEW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"
#include "ops/overview/flat_samples.h"

// One page of numbers about a server, or about several together, and what of it is wrong. From two
// looks at its metrics. Pure functions.
namespace bellwire::metrics {

// One look.
struct Snapshot {
  MonotonicTime time;
  absl::Time wall_time;
  // Of several programs: one after the other.
  FlatSamples samples;
};

// Of what happened between the two looks. Not there: nothing did.
struct Latency {
  absl::Duration p50;
  absl::Duration p99;
};

// How full a bounded place is; of several programs the fullest.
struct QueueLevel {
  std::string name;
  double length = 0;
  double bound = 0;
};

struct CertificateEnd {
  std::string name;
  // Unset: it can't be read.
  std::optional<absl::Time> ends;
};

// Something that is wrong. Alerts of the same name are in deploy/prometheus/alerts.yml; here they
// come at once, since somebody looks.
struct Problem {
  // "BellwireQueueFull"; docs/operate/metrics.md has a section of this name.
  std::string alert;
  bool critical = false;
  std::string summary;
  std::string to_do;
};

struct Overview {
  std::string version;
  bool ready = true;
  // Of the program that has started last.
  std::optional<absl::Time> started;

  // What only some programs have is unset where none is among those looked at.
  std::optional<int64_t> sessions;
  std::optional<int64_t> bytes_in_flight;
  std::optional<bool> store_ok;

  // A second, on average between the two looks; unset after the first one.
  struct Rates {
    double sends = 0;
    // Of `sends`: refused because of the request, and through a fault or lack of room of the
    // server.
    double refused = 0;
    double failed = 0;
    double to_phone = 0;
    double to_app = 0;
    double logins = 0;
    // Processors that are busy.
    double cpus = 0;
  };
  std::optional<Rates> rates;
  std::optional<Latency> send;
  std::optional<Latency> commit;
  std::optional<Latency> to_phone;
  std::optional<Latency> to_app;

  double resident_bytes = 0;
  double open_descriptors = 0;
  double max_descriptors = 0;
  // The fullest first.
  std::vector<QueueLevel> queues;
  // The first to end first.
  std::vector<CertificateEnd> certificates;
  // Critical ones first.
  std::vector<Problem> problems;
};

// `before`: null at the first look.
Overview MakeOverview(const Snapshot* before, const Snapshot& now);

// docs/operate/console.md is the contract. Durations are in seconds, times in RFC 3339; what is
// unset is left out.
nlohmann::ordered_json ToJson(const Overview& overview);

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_OVERVIEW_OVERVIEW_H_
