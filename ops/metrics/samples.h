#ifndef BELLWIRE_OPS_METRICS_SAMPLES_H_
#define BELLWIRE_OPS_METRICS_SAMPLES_H_

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "ops/metrics/catalogue.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/histogram.h"
#include "prometheus/metric_family.h"

namespace bellwire::metrics {

// What one scrape collects. The parts of a daemon keep their counters themselves and write them
// here when somebody asks (Source).
//
// Label values come in the order of Metric::labels. They are from small fixed sets, and never
// teams, apps, devices, tokens or addresses. Not thread-safe.
class Samples {
 public:
  using LabelValues = std::initializer_list<absl::string_view>;

  // Of a counter or a gauge. REQUIRES: `metric` is in AllMetrics(), and has as many labels.
  void Add(const Metric& metric, LabelValues labels, double value);
  void Add(const Metric& metric, double value) { Add(metric, {}, value); }
  void Add(const Metric& metric, LabelValues labels, const Counter& counter) {
    Add(metric, labels, static_cast<double>(counter.value()));
  }
  void Add(const Metric& metric, const Counter& counter) { Add(metric, {}, counter); }
  // Of a histogram; durations become seconds.
  void Add(const Metric& metric, LabelValues labels, const Histogram& histogram);
  void Add(const Metric& metric, const Histogram& histogram) { Add(metric, {}, histogram); }

  // kQueueLength and kQueueBound: how full the queue of this name is.
  void AddQueue(absl::string_view queue, size_t length, size_t bound);

  // In the order in which metrics came first. Nothing is left.
  std::vector<prometheus::MetricFamily> Take();

 private:
  prometheus::ClientMetric* New(const Metric& metric, LabelValues labels);

  std::vector<prometheus::MetricFamily> families_;
  // Where the family of a metric is.
  absl::flat_hash_map<const Metric*, size_t> index_;
};

// Writes what a part of a daemon has counted. Called on the thread that answers scrapes.
using Source = std::function<void(Samples* samples)>;

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_SAMPLES_H_
