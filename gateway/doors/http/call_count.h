#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_CALL_COUNT_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_CALL_COUNT_H_

#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace bellwire::http {

// Counts what is under way, so that its owner can wait for the end of it before it goes.
// Thread-safe.
class CallCount {
 public:
  CallCount() = default;
  CallCount(const CallCount&) = delete;
  CallCount& operator=(const CallCount&) = delete;
  ~CallCount() { AwaitNone(); }

  // Counts until the last copy of the answer is gone.
  std::shared_ptr<const void> Take() {
    absl::MutexLock lock(&mutex_);
    ++count_;
    return std::shared_ptr<const void>(this, [this](const void*) {
      absl::MutexLock unlock(&mutex_);
      --count_;
    });
  }

  void AwaitNone() {
    const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return count_ == 0; };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&none));
  }

 private:
  absl::Mutex mutex_;
  size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_CALL_COUNT_H_
