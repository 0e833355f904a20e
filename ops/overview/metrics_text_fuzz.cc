// Whatever somebody answers in the place of metrics is refused, or is numbers with names.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "ops/overview/flat_samples.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwire::metrics;
  const auto samples =
      ParseMetricsText(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!samples.ok()) return 0;
  if (samples->size() > kMaxFlatSamples) abort();
  for (const FlatSample& sample : *samples) {
    if (sample.name.empty()) abort();
  }
  const Buckets buckets = BucketsOf(*samples, "bellwire_gateway_send_seconds");
  for (const auto& [bound, count] : Since({}, buckets)) {
    if (std::isnan(bound)) abort();
  }
  return 0;
}
