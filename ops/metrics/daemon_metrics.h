#ifndef BELLWIRE_OPS_METRICS_DAEMON_METRICS_H_
#define BELLWIRE_OPS_METRICS_DAEMON_METRICS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "ops/metrics/exposer.h"
#include "ops/metrics/metrics.h"
#include "ops/metrics/readiness.h"
#include "ops/watchdog.h"
#include "prometheus/metric_family.h"

namespace bellwire::metrics {

struct MetricsFlags {
  // Empty: metrics are not shown.
  std::string listen;
};

// Adds --metrics_listen. `local_only`: as Exposer::Options. `flags` outlives the parse.
void AddMetricsFlags(CLI::App* app, MetricsFlags* flags, bool local_only = false);

// A daemon's metrics from start to end, for its main:
//
//   DaemonMetrics metrics("bellwire-foo");
//   metrics.AddDataDir(data_dir);
//   metrics.AddSource([&](metrics::Samples* samples) { server->Report(samples); });
//   RETURN_IF_ERROR(metrics.Serve(flags.metrics));
//   metrics.AppendAddress(&ready);        // metrics_address in the ready file
//   metrics.AppendListener(&listeners);   // for the watchdog
//   … WaitForShutdownSignal …
//   metrics.readiness()->SetDraining();
//
// It is destroyed before what its sources and checks use. Not thread-safe.
class DaemonMetrics {
 public:
  explicit DaemonMetrics(std::string program) : metrics_(std::move(program), &readiness_) {}

  void AddSource(Source source) { metrics_.AddSource(std::move(source)); }
  // Its certificates. Of a bellwire::DataDir (ops/data_dir.h), which knows gRPC: the agent doesn't.
  template <typename DataDir>
  void AddDataDir(const DataDir& data_dir) {
    AddCertificate("ca", data_dir.ca_certificate());
    AddCertificate("server", data_dir.server_certificate());
    AddCertificate("internal", data_dir.internal_node_certificate());
  }
  void AddCertificate(std::string name, std::string path) {
    metrics_.AddCertificate(std::move(name), std::move(path));
  }
  Readiness* readiness() { return &readiness_; }
  // What a scrape would show, also without a place that shows it.
  std::vector<prometheus::MetricFamily> Collect() const { return metrics_.Collect(); }

  // Begins to answer at flags.listen, if there is one. Once, after all of the above. Errors as
  // Exposer::Start.
  absl::Status Serve(const MetricsFlags& flags, bool local_only = false);

  // For WriteReadyFile, and for a Watchdog, which this outlives.
  void AppendAddress(std::vector<std::pair<std::string, std::string>>* fields) const;
  void AppendListener(std::vector<Watchdog::Listener>* listeners);

 private:
  Readiness readiness_;
  Metrics metrics_;
  std::unique_ptr<Exposer> exposer_;
};

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_DAEMON_METRICS_H_
