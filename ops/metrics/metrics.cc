#include "ops/metrics/metrics.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/version.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "ops/metrics/process_source.h"

namespace bellwire::metrics {
namespace {

double ExpiryOf(const std::string& path) {
  const absl::StatusOr<std::string> pem = ReadWholeFile(path);
  if (!pem.ok()) return 0;
  const absl::StatusOr<absl::Time> not_after = CertificateNotAfter(*pem);
  return not_after.ok() ? static_cast<double>(absl::ToUnixSeconds(*not_after)) : 0;
}

}  // namespace

std::vector<prometheus::MetricFamily> Metrics::Collect() const {
  Samples samples;
  samples.Add(kBuildInfo, {program_, kVersion}, 1);
  samples.Add(kReady, readiness_->Get().ok() ? 1 : 0);
  CollectProcess(&samples);
  for (const auto& [name, path] : certificates_) {
    samples.Add(kCertificateExpiry, {name}, ExpiryOf(path));
  }
  for (const Source& source : sources_) source(&samples);
  return samples.Take();
}

}  // namespace bellwire::metrics
