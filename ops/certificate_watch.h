#ifndef BELLWIRE_OPS_CERTIFICATE_WATCH_H_
#define BELLWIRE_OPS_CERTIFICATE_WATCH_H_

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "ops/data_dir.h"

namespace bellwire {

// In time for whoever reads a log once a week.
inline constexpr absl::Duration kWarnBeforeExpiry = absl::Hours(30 * 24);

struct CertificateState {
  std::string file;
  absl::Time not_before;
  absl::Time not_after;
  // Host names and addresses that it is for.
  std::vector<std::string> names;
  // "connector, registry"; empty: none.
  std::string roles;

  bool IsGood(absl::Time now) const { return not_before <= now && now <= not_after; }
  // Within kWarnBeforeExpiry.
  bool EndsSoon(absl::Time now) const { return not_after <= now + kWarnBeforeExpiry; }
};

// The certificates of a data directory that are there and can be read.
std::vector<CertificateState> CertificatesOf(const DataDir& data_dir);

// Logs a warning for each of these that ends soon, `certificate_expires`, or has ended,
// `certificate_expired`. Answers how many do or have.
size_t WarnOfExpiry(const std::vector<CertificateState>& certificates, absl::Time now);

// Does so at once, and then twice a day, for a process that runs longer than its certificates.
class CertificateWatch {
 public:
  // `clock` outlives it.
  CertificateWatch(DataDir data_dir, const Clock* clock);
  ~CertificateWatch();
  CertificateWatch(const CertificateWatch&) = delete;
  CertificateWatch& operator=(const CertificateWatch&) = delete;

 private:
  void Run();

  const DataDir data_dir_;
  const Clock* const clock_;
  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  // Last: it uses the rest.
  std::thread thread_;
};

}  // namespace bellwire

#endif  // BELLWIRE_OPS_CERTIFICATE_WATCH_H_
