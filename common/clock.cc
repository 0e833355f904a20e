#include "common/clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace bellwire {
namespace {

MonotonicTime Read(clockid_t id) {
  timespec ts;
  clock_gettime(id, &ts);
  return MonotonicTime::FromNanoseconds(int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec);
}

class SystemClock final : public Clock {
 public:
  absl::Time WallNow() const override { return absl::Now(); }
  MonotonicTime Monotonic() const override { return Read(CLOCK_MONOTONIC); }
  MonotonicTime Boottime() const override { return Read(CLOCK_BOOTTIME); }
};

}  // namespace

Clock* RealClock() {
  static SystemClock* const clock = new SystemClock;
  return clock;
}

absl::Duration ThreadCpuTime() {
  return absl::Nanoseconds(Read(CLOCK_THREAD_CPUTIME_ID).nanoseconds());
}

}  // namespace bellwire
