#ifndef BELLWIRE_OPS_METRICS_READINESS_H_
#define BELLWIRE_OPS_METRICS_READINESS_H_

#include <atomic>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace bellwire::metrics {

// Whether a daemon should be given work: what /readyz says. False while it drains, and while one of
// its checks fails, such as that of the store.
//
// AddCheck comes before anything asks. Otherwise thread-safe.
class Readiness {
 public:
  Readiness() = default;
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // `check` answers at once, and says what is wrong. What it uses outlives this.
  void AddCheck(std::function<absl::Status()> check) { checks_.push_back(std::move(check)); }
  // From now on it is not ready.
  void SetDraining() { draining_.store(true, std::memory_order_relaxed); }

  // OK, or the first thing that is wrong.
  absl::Status Get() const {
    if (draining_.load(std::memory_order_relaxed)) return absl::UnavailableError("draining");
    for (const auto& check : checks_) {
      if (absl::Status status = check(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  std::atomic<bool> draining_{false};
  std::vector<std::function<absl::Status()>> checks_;
};

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_READINESS_H_
