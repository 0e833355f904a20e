#include "gateway/send/adaptive_limit.h"

#include <algorithm>

namespace bellwire::gateway {

AdaptiveLimit::AdaptiveLimit(const Options& options) : options_(options), limit_(options.max) {}

void AdaptiveLimit::OnServed(MonotonicTime began, MonotonicTime now) {
  const absl::Duration took = now - began;
  absl::MutexLock lock(&mutex_);
  if (served_ == 0) {
    window_began_ = now;
    fastest_ = took;
  }
  ++served_;
  fastest_ = std::min(fastest_, took);
  if (now - window_began_ < options_.window) return;
  EndWindow(now - window_began_);
  served_ = 0;
}

void AdaptiveLimit::EndWindow(absl::Duration length) {
  const size_t limit = limit_.load(std::memory_order_relaxed);
  size_t next = limit + limit / 4 + 1;
  if (fastest_ > options_.target) {
    const double served_per_window = static_cast<double>(served_);
    next = static_cast<size_t>(served_per_window * absl::FDivDuration(options_.target, length));
  }
  limit_.store(std::clamp(next, options_.min, options_.max), std::memory_order_relaxed);
}

}  // namespace bellwire::gateway
