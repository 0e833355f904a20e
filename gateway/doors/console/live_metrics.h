#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_METRICS_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_METRICS_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/metric_family.h"

namespace bellwire::gateway {

// Where the console gets the metrics of its process from. A main makes one before the gateway, and
// shows its metrics in it once it has them: metrics are asked of a server, so they end before it.
// Thread-safe.
class LiveMetrics {
 public:
  using Collect = std::function<std::vector<prometheus::MetricFamily>()>;

  // While it lives, `collect` is asked; its destructor waits until nobody asks.
  class Shown {
   public:
    Shown(std::shared_ptr<LiveMetrics> slot, Collect collect) : slot_(std::move(slot)) {
      absl::MutexLock lock(&slot_->mu_);
      slot_->collect_ = std::move(collect);
    }
    ~Shown() {
      absl::MutexLock lock(&slot_->mu_);
      slot_->collect_ = nullptr;
    }
    Shown(const Shown&) = delete;
    Shown& operator=(const Shown&) = delete;

   private:
    const std::shared_ptr<LiveMetrics> slot_;
  };

  // Empty while nothing is shown. Takes as long as a scrape.
  std::vector<prometheus::MetricFamily> Get() {
    absl::MutexLock lock(&mu_);
    return collect_ ? collect_() : std::vector<prometheus::MetricFamily>();
  }

 private:
  absl::Mutex mu_;
  Collect collect_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_METRICS_H_
