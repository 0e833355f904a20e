#ifndef BELLWIRE_GATEWAY_SEND_ADAPTIVE_LIMIT_H_
#define BELLWIRE_GATEWAY_SEND_ADAPTIVE_LIMIT_H_

#include <atomic>
#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"

namespace bellwire::gateway {

// How many calls to a server of unknown speed may be under way so that each is answered in about
// `target`: under overload the rest is refused at once instead of waiting in a queue that only
// makes every answer late.
//
// Looks at windows of time. If even the fastest answer of a window took longer than `target`, a
// queue stands before the server, which then works at its capacity; Little's law gives how many
// calls under way fill that capacity with a wait of `target`, and that becomes the limit. The
// fastest answer, because one slow sync makes most of a window's answers late, and no standing
// queue (CoDel, RFC 8289, section 4.2). Without a standing queue the limit grows by a quarter a
// window.
//
// Thread-safe.
class AdaptiveLimit {
 public:
  struct Options {
    size_t min = kMinGatewayAppends;
    size_t max = kMaxGatewaySends;
    absl::Duration target = kAppendLatencyTarget;
    absl::Duration window = 2 * kAppendLatencyTarget;
  };

  // Starts at `options.max`. REQUIRES: 0 < min <= max.
  explicit AdaptiveLimit(const Options& options);
  AdaptiveLimit(const AdaptiveLimit&) = delete;
  AdaptiveLimit& operator=(const AdaptiveLimit&) = delete;

  size_t limit() const { return limit_.load(std::memory_order_relaxed); }

  // A call that began at `began` was served. What was refused or failed is not reported: it says
  // nothing of the queue.
  void OnServed(MonotonicTime began, MonotonicTime now);

 private:
  void EndWindow(absl::Duration length) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  std::atomic<size_t> limit_;
  absl::Mutex mutex_;
  // served_ == 0: no window has begun.
  MonotonicTime window_began_ ABSL_GUARDED_BY(mutex_);
  size_t served_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration fastest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_ADAPTIVE_LIMIT_H_
