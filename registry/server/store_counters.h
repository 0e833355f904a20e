#ifndef BELLWIRE_REGISTRY_SERVER_STORE_COUNTERS_H_
#define BELLWIRE_REGISTRY_SERVER_STORE_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "bellwire/push/v1/push.pb.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/histogram.h"
#include "ops/metrics/samples.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

// What a store counts of its messages and commits. Steps count when they are durable: they are
// staged by transactions and counted by their commit.
//
// Report, ok and SetOnChange are thread-safe; the rest is for the thread that owns the store.
class StoreCounters {
 public:
  StoreCounters() = default;
  StoreCounters(const StoreCounters&) = delete;
  StoreCounters& operator=(const StoreCounters&) = delete;

  // A transaction recorded these steps, for the next commit.
  void Stage(absl::Span<const DeviceTransaction::StepTaken> steps);
  // One app's mailbox on one device holds so many messages after an Append.
  void ObserveMailbox(size_t messages) { mailbox_.Observe(static_cast<uint64_t>(messages)); }
  // A commit of what was staged ended.
  void OnCommit(const absl::Status& status, absl::Duration took);
  // The store could be read, or not: a store that failed is open again, or not yet.
  void OnRead(const absl::Status& status);
  // Called on the store's thread when ok() changes. Null, as at first: nobody is. When it returns,
  // the one before is not called any more. Thread-safe.
  void SetOnChange(std::function<void(bool ok)> on_change) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the store worked when it was used last. It is used at least every kSweepInterval.
  bool ok() const { return ok_.load(); }
  void Report(metrics::Samples* samples) const;

 private:
  static constexpr size_t kSteps = push::v1::Step_ARRAYSIZE;

  std::atomic<bool> ok_{true};
  absl::Mutex mutex_;
  std::function<void(bool ok)> on_change_ ABSL_GUARDED_BY(mutex_);
  std::vector<DeviceTransaction::StepTaken> staged_;
  std::array<metrics::Counter, kSteps> steps_;
  metrics::Counter commits_;
  metrics::Counter failed_commits_;
  metrics::Histogram commit_time_{metrics::kAnswerTimes, metrics::Histogram::Unit::kMicroseconds};
  metrics::Histogram to_agent_{metrics::kDeliveryTimes, metrics::Histogram::Unit::kMicroseconds};
  metrics::Histogram to_app_{metrics::kDeliveryTimes, metrics::Histogram::Unit::kMicroseconds};
  metrics::Histogram mailbox_{metrics::kMessageCounts, metrics::Histogram::Unit::kItems};
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_STORE_COUNTERS_H_
