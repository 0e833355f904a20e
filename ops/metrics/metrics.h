#ifndef BELLWIRE_OPS_METRICS_METRICS_H_
#define BELLWIRE_OPS_METRICS_METRICS_H_

#include <string>
#include <utility>
#include <vector>

#include "ops/metrics/readiness.h"
#include "ops/metrics/samples.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace bellwire::metrics {

// All that one daemon has to say of itself: its sources, and the metrics of every program. A daemon
// owns one, and an Exposer shows it.
//
// AddSource and AddCertificate come before the first Collect. Collect is thread-safe as far as the
// sources are.
class Metrics final : public prometheus::Collectable {
 public:
  // `program` names the daemon: "bellwire-gateway". `readiness` outlives this.
  Metrics(std::string program, const Readiness* readiness)
      : program_(std::move(program)), readiness_(readiness) {}

  // Asked at each scrape. What it uses outlives the Exposer.
  void AddSource(Source source) { sources_.push_back(std::move(source)); }
  // A PEM file whose first certificate's end is shown, as kCertificateExpiry of this name. It is
  // read at each scrape, so that a renewal shows.
  void AddCertificate(std::string name, std::string path) {
    certificates_.emplace_back(std::move(name), std::move(path));
  }

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string program_;
  const Readiness* const readiness_;
  std::vector<Source> sources_;
  std::vector<std::pair<std::string, std::string>> certificates_;
};

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_METRICS_H_
