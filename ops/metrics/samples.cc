#include "ops/metrics/samples.h"

#include <cassert>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_split.h"

namespace bellwire::metrics {
namespace {

prometheus::MetricType TypeOf(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return prometheus::MetricType::Counter;
    case Kind::kGauge:
      return prometheus::MetricType::Gauge;
    case Kind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

double InBaseUnit(uint64_t value, Histogram::Unit unit) {
  return unit == Histogram::Unit::kMicroseconds ? static_cast<double>(value) / 1e6
                                                : static_cast<double>(value);
}

}  // namespace

prometheus::ClientMetric* Samples::New(const Metric& metric, LabelValues labels) {
  assert(IsListed(metric));
  const auto [it, is_new] = index_.try_emplace(&metric, families_.size());
  if (is_new) {
    families_.push_back({.name = metric.name,
                         .help = metric.help,
                         .type = TypeOf(metric.kind),
                         .metric = {}});
  }
  prometheus::ClientMetric& sample = families_[it->second].metric.emplace_back();
  const std::vector<std::string> names = LabelsOf(metric);
  assert(names.size() == labels.size());
  size_t i = 0;
  for (const absl::string_view value : labels) {
    sample.label.push_back({names[i++], std::string(value)});
  }
  return &sample;
}

void Samples::Add(const Metric& metric, LabelValues labels, double value) {
  assert(metric.kind != Kind::kHistogram);
  prometheus::ClientMetric* const sample = New(metric, labels);
  if (metric.kind == Kind::kCounter) {
    sample->counter.value = value;
  } else {
    sample->gauge.value = value;
  }
}

void Samples::Add(const Metric& metric, LabelValues labels, const Histogram& histogram) {
  assert(metric.kind == Kind::kHistogram);
  prometheus::ClientMetric::Histogram& shown = New(metric, labels)->histogram;
  // The sum first: whoever observes meanwhile is then in the count, never in the sum alone.
  shown.sample_sum = InBaseUnit(histogram.sum(), histogram.unit());
  uint64_t count = 0;
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) {
    count += histogram.count(i);
    const double bound = i < histogram.bounds().size()
                             ? InBaseUnit(histogram.bounds()[i], histogram.unit())
                             : std::numeric_limits<double>::infinity();
    shown.bucket.push_back({.cumulative_count = count, .upper_bound = bound});
  }
  shown.sample_count = count;
}

void Samples::AddQueue(absl::string_view queue, size_t length, size_t bound) {
  Add(kQueueLength, {queue}, static_cast<double>(length));
  Add(kQueueBound, {queue}, static_cast<double>(bound));
}

std::vector<prometheus::MetricFamily> Samples::Take() {
  index_.clear();
  return std::exchange(families_, {});
}

}  // namespace bellwire::metrics
