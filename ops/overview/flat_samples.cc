#include "ops/overview/flat_samples.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error.h"

namespace bellwire::metrics {
namespace {

bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == ':'; }

// Takes a name of a metric or a label off the front; empty: there is none.
absl::string_view TakeName(absl::string_view* text) {
  size_t end = 0;
  while (end < text->size() && IsNameCharacter((*text)[end])) ++end;
  const absl::string_view name = text->substr(0, end);
  text->remove_prefix(end);
  return name;
}

// Takes a value in quotes off the front.
std::optional<std::string> TakeQuoted(absl::string_view* text) {
  if (!absl::ConsumePrefix(text, "\"")) return std::nullopt;
  std::string value;
  while (!text->empty()) {
    const char c = text->front();
    text->remove_prefix(1);
    if (c == '"') return value;
    if (c != '\\') {
      value += c;
      continue;
    }
    if (text->empty()) return std::nullopt;
    value += text->front() == 'n' ? '\n' : text->front();
    text->remove_prefix(1);
  }
  return std::nullopt;
}

// nullopt: it is no line of the format.
std::optional<FlatSample> ParseLine(absl::string_view line) {
  FlatSample sample;
  sample.name = std::string(TakeName(&line));
  if (sample.name.empty()) return std::nullopt;
  if (absl::ConsumePrefix(&line, "{")) {
    while (!absl::ConsumePrefix(&line, "}")) {
      const absl::string_view label = TakeName(&line);
      if (label.empty() || !absl::ConsumePrefix(&line, "=")) return std::nullopt;
      std::optional<std::string> value = TakeQuoted(&line);
      if (!value.has_value()) return std::nullopt;
      sample.labels.emplace_back(std::string(label), *std::move(value));
      if (!absl::ConsumePrefix(&line, ",") && !absl::StartsWith(line, "}")) return std::nullopt;
    }
  }
  // The value, and perhaps a time.
  const std::vector<absl::string_view> rest = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (rest.empty() || rest.size() > 2) return std::nullopt;
  if (!absl::SimpleAtod(rest[0], &sample.value)) return std::nullopt;
  return sample;
}

bool Fits(const FlatSample& sample, const LabelFilter& filter) {
  return std::all_of(filter.begin(), filter.end(), [&sample](const auto& wanted) {
    const std::string* const value = sample.Label(wanted.first);
    return value != nullptr && *value == wanted.second;
  });
}

}  // namespace

const std::string* FlatSample::Label(absl::string_view label) const {
  for (const auto& [name, value] : labels) {
    if (name == label) return &value;
  }
  return nullptr;
}

FlatSamples Flatten(const std::vector<prometheus::MetricFamily>& families) {
  FlatSamples samples;
  for (const prometheus::MetricFamily& family : families) {
    for (const prometheus::ClientMetric& metric : family.metric) {
      FlatSample sample = {.name = family.name};
      for (const prometheus::ClientMetric::Label& label : metric.label) {
        sample.labels.emplace_back(label.name, label.value);
      }
      if (family.type != prometheus::MetricType::Histogram) {
        sample.value = family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                                      : metric.gauge.value;
        samples.push_back(std::move(sample));
        continue;
      }
      for (const prometheus::ClientMetric::Bucket& bucket : metric.histogram.bucket) {
        FlatSample one = sample;
        one.name = family.name + "_bucket";
        one.labels.emplace_back("le", absl::StrFormat("%.17g", bucket.upper_bound));
        one.value = static_cast<double>(bucket.cumulative_count);
        samples.push_back(std::move(one));
      }
      FlatSample sum = sample;
      sum.name = family.name + "_sum";
      sum.value = metric.histogram.sample_sum;
      samples.push_back(std::move(sum));
      sample.name = family.name + "_count";
      sample.value = static_cast<double>(metric.histogram.sample_count);
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

absl::StatusOr<FlatSamples> ParseMetricsText(absl::string_view text) {
  const absl::Status too_long =
      MakeError(absl::StatusCode::kResourceExhausted, "METRICS_TOO_LONG",
                absl::StrCat("More than ", kMaxMetricsTextBytes, " bytes or ", kMaxFlatSamples,
                             " lines of metrics: this is no Bellwire program."));
  if (text.size() > kMaxMetricsTextBytes) return too_long;
  FlatSamples samples;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    if (samples.size() == kMaxFlatSamples) return too_long;
    std::optional<FlatSample> sample = ParseLine(line);
    if (!sample.has_value()) {
      return MakeError(absl::StatusCode::kInvalidArgument, "BAD_METRICS",
                       absl::StrCat("Line ", number, " is none of Prometheus' text format."));
    }
    samples.push_back(*std::move(sample));
  }
  return samples;
}

std::optional<double> SumOf(const FlatSamples& samples, absl::string_view name,
                            const LabelFilter& filter) {
  std::optional<double> sum;
  for (const FlatSample& sample : samples) {
    if (sample.name == name && Fits(sample, filter)) sum = sum.value_or(0) + sample.value;
  }
  return sum;
}

Buckets BucketsOf(const FlatSamples& samples, absl::string_view name) {
  const std::string bucket_name = absl::StrCat(name, "_bucket");
  Buckets buckets;
  for (const FlatSample& sample : samples) {
    if (sample.name != bucket_name) continue;
    const std::string* const bound = sample.Label("le");
    double upper = 0;
    if (bound == nullptr || !absl::SimpleAtod(*bound, &upper) || std::isnan(upper)) continue;
    buckets[upper] += sample.value;
  }
  return buckets;
}

Buckets Since(const Buckets& before, const Buckets& now) {
  if (CountOf(now) < CountOf(before)) return now;
  Buckets since;
  for (const auto& [bound, count] : now) {
    const auto it = before.find(bound);
    since[bound] = it == before.end() ? count : std::max(0.0, count - it->second);
  }
  return since;
}

double CountOf(const Buckets& buckets) { return buckets.empty() ? 0 : buckets.rbegin()->second; }

double Quantile(const Buckets& buckets, double share) {
  const double wanted = share * CountOf(buckets);
  double lower = 0;
  double below = 0;
  for (const auto& [bound, count] : buckets) {
    if (count >= wanted && count > below) {
      if (std::isinf(bound)) return lower;
      return lower + (bound - lower) * (wanted - below) / (count - below);
    }
    if (!std::isinf(bound)) lower = bound;
    below = std::max(below, count);
  }
  return lower;
}

}  // namespace bellwire::metrics
