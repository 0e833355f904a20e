#ifndef BELLWIRE_COMMON_LOG_LIMIT_H_
#define BELLWIRE_COMMON_LOG_LIMIT_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire {

// Keeps log lines that somebody else can cause at will from filling the disk: lets the first kLines
// of each kInterval through and counts the others. The next line that gets through says how many.
//
//   if (const auto unsaid = limit_.Take()) LogInfo("app_refused", {…, {"unsaid", *unsaid}});
//
// One limit for each kind of line. Thread-safe.
class LogLimit {
 public:
  static constexpr uint64_t kLines = 10;
  static constexpr absl::Duration kInterval = absl::Minutes(1);

  // `clock` outlives the limit.
  explicit LogLimit(const Clock* clock) : clock_(clock) {}

  // Whether the line may be written now, and then how many before it were not. Nullopt: leave it
  // out.
  std::optional<uint64_t> Take();

 private:
  const Clock* const clock_;
  absl::Mutex mutex_;
  // Of the interval that runs. Nullopt: none was begun.
  std::optional<MonotonicTime> began_ ABSL_GUARDED_BY(mutex_);
  uint64_t lines_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t unsaid_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_LOG_LIMIT_H_
