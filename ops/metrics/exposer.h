#ifndef BELLWIRE_OPS_METRICS_EXPOSER_H_
#define BELLWIRE_OPS_METRICS_EXPOSER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ops/metrics/metrics.h"
#include "ops/metrics/readiness.h"

namespace bellwire::metrics {

// Connections of scrapers at a time; further ones are closed at once. A Prometheus needs one for
// the blink of an eye, and nobody may take the daemon's descriptors here.
inline constexpr size_t kMaxScrapers = 16;
// From the accept until the scraper has the whole answer.
inline constexpr absl::Duration kScrapeTime = absl::Seconds(10);

// The address where a daemon shows its metrics and its health, over HTTP/1.1 in clear text, on a
// thread of its own:
//   GET /metrics   in Prometheus' text format
//   GET /healthz   200 as long as this thread lives
//   GET /readyz    200, or 503 and why
// docs/decisions/metrics.md says why it is ours. Thread-safe.
class Exposer {
 public:
  struct Options {
    // "HOST:PORT", port 0 takes a free one; or "unix:PATH".
    std::string listen;
    // Refuses addresses that other machines reach.
    bool local_only = false;
    // Not owned; they and all that they use outlive the exposer.
    const Metrics* metrics = nullptr;
    const Readiness* readiness = nullptr;
  };

  // Serves from the return on.
  //   INVALID_ARGUMENT NOT_LOOPBACK: local_only, and the address is not · errors of net::ListenTcp
  //   and net::UnixListener
  static absl::StatusOr<std::unique_ptr<Exposer>> Start(const Options& options);

  // Closes the address. Nothing is collected afterwards.
  virtual ~Exposer() = default;

  // "HOST:PORT" with the real port, or "unix:PATH".
  virtual const std::string& address() const = 0;
  // Whether its thread goes round within `patience`; for a watchdog.
  virtual bool Responds(absl::Duration patience) = 0;
};

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_EXPOSER_H_
