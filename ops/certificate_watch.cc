#include "ops/certificate_watch.h"

#include <utility>

#include "common/log.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "rpc/roles.h"

namespace bellwire {
namespace {

constexpr absl::Duration kInterval = absl::Hours(12);

}  // namespace

std::vector<CertificateState> CertificatesOf(const DataDir& data_dir) {
  std::vector<CertificateState> states;
  for (const std::string& file :
       {data_dir.ca_certificate(), data_dir.server_certificate(),
        data_dir.internal_ca_certificate(), data_dir.internal_node_certificate()}) {
    const absl::StatusOr<std::string> pem = ReadWholeFile(file);
    if (!pem.ok()) continue;
    absl::StatusOr<CertificateFacts> facts = ReadCertificateFacts(*pem);
    if (!facts.ok()) continue;
    CertificateState state{.file = file,
                           .not_before = facts->not_before,
                           .not_after = facts->not_after,
                           .names = std::move(facts->dns_names),
                           .roles = Roles::FromUris(facts->uris).Names()};
    state.names.insert(state.names.end(), facts->ip_addresses.begin(), facts->ip_addresses.end());
    states.push_back(std::move(state));
  }
  return states;
}

size_t WarnOfExpiry(const std::vector<CertificateState>& certificates, absl::Time now) {
  size_t warned = 0;
  for (const CertificateState& certificate : certificates) {
    if (!certificate.EndsSoon(now)) continue;
    ++warned;
    const std::string not_after =
        absl::FormatTime(absl::RFC3339_sec, certificate.not_after, absl::UTCTimeZone());
    if (now > certificate.not_after) {
      LogError("certificate_expired", {{"file", certificate.file}, {"not_after", not_after}});
    } else {
      LogWarning("certificate_expires", {{"file", certificate.file},
                                         {"not_after", not_after},
                                         {"days", (certificate.not_after - now) / absl::Hours(24)},
                                         {"to_do", "bellwire cert renew"}});
    }
  }
  return warned;
}

CertificateWatch::CertificateWatch(DataDir data_dir, const Clock* clock)
    : data_dir_(std::move(data_dir)), clock_(clock), thread_([this] { Run(); }) {}

CertificateWatch::~CertificateWatch() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void CertificateWatch::Run() {
  for (;;) {
    WarnOfExpiry(CertificatesOf(data_dir_), clock_->WallNow());
    absl::MutexLock lock(&mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), kInterval)) return;
  }
}

}  // namespace bellwire
