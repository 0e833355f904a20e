#ifndef BELLWIRE_OPS_OVERVIEW_FLAT_SAMPLES_H_
#define BELLWIRE_OPS_OVERVIEW_FLAT_SAMPLES_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "prometheus/metric_family.h"

// Metrics as lines of numbers, whether they come from this process or from the text that another
// one answers at /metrics. Pure functions.
namespace bellwire::metrics {

// Of one text. A server has some 700 lines.
inline constexpr size_t kMaxFlatSamples = 20'000;
inline constexpr size_t kMaxMetricsTextBytes = 4 * 1024 * 1024;

struct FlatSample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;

  // Null: it has no such label.
  const std::string* Label(absl::string_view label) const;
};
// Histograms are NAME_bucket with the label `le`, NAME_sum and NAME_count, as in Prometheus' text.
using FlatSamples = std::vector<FlatSample>;

FlatSamples Flatten(const std::vector<prometheus::MetricFamily>& families);

// Prometheus' text format, version 0.0.4.
//   INVALID_ARGUMENT BAD_METRICS: names the line · RESOURCE_EXHAUSTED METRICS_TOO_LONG
absl::StatusOr<FlatSamples> ParseMetricsText(absl::string_view text);

// Labels and their values; a sample may have others beside them.
using LabelFilter = std::vector<std::pair<absl::string_view, absl::string_view>>;

// The sum over all that fit. nullopt: none does.
std::optional<double> SumOf(const FlatSamples& samples, absl::string_view name,
                            const LabelFilter& filter = {});

// Counts up to each upper bound, summed over all that fit.
using Buckets = std::map<double, double>;
Buckets BucketsOf(const FlatSamples& samples, absl::string_view name);
// What was counted since `before`. A program that started anew since then counts from zero.
Buckets Since(const Buckets& before, const Buckets& now);
double CountOf(const Buckets& buckets);
// The value that a share of 0 to 1 of all stays below: straight lines within buckets, the last
// finite bound beyond them. REQUIRES: CountOf(buckets) > 0.
double Quantile(const Buckets& buckets, double share);

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_OVERVIEW_FLAT_SAMPLES_H_
