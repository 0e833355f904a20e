#ifndef BELLWIRE_OPS_OVERVIEW_SCRAPE_CLIENT_H_
#define BELLWIRE_OPS_OVERVIEW_SCRAPE_CLIENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bellwire::metrics {

// How long a program may be silent at each step. One that is well answers within milliseconds.
inline constexpr absl::Duration kScrapePatience = absl::Seconds(3);

// What a program answers to GET /metrics at its --metrics_listen: "HOST:PORT" or "unix:PATH".
// Blocks for a few times kScrapePatience at most. Thread-safe.
//   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE NOT_REACHED: nobody answers there ·
//   FAILED_PRECONDITION NOT_METRICS: somebody else does
absl::StatusOr<std::string> FetchMetrics(const std::string& address);

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_OVERVIEW_SCRAPE_CLIENT_H_
