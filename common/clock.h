#ifndef BELLWIRE_COMMON_CLOCK_H_
#define BELLWIRE_COMMON_CLOCK_H_

#include <cstdint>

#include "absl/time/time.h"

namespace bellwire {

// A point on a clock that never jumps; only differences mean something.
class MonotonicTime {
 public:
  constexpr MonotonicTime() = default;
  static constexpr MonotonicTime FromNanoseconds(int64_t ns) { return MonotonicTime(ns); }
  constexpr int64_t nanoseconds() const { return ns_; }

  friend constexpr auto operator<=>(MonotonicTime, MonotonicTime) = default;
  friend MonotonicTime operator+(MonotonicTime t, absl::Duration d) {
    return MonotonicTime(t.ns_ + absl::ToInt64Nanoseconds(d));
  }
  friend absl::Duration operator-(MonotonicTime a, MonotonicTime b) {
    return absl::Nanoseconds(a.ns_ - b.ns_);
  }

 private:
  explicit constexpr MonotonicTime(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

// Where all time comes from: passed in through constructors, never read behind a caller's back.
// Expiry follows WallNow(), timers follow Monotonic(). Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time (CLOCK_REALTIME); may jump.
  virtual absl::Time WallNow() const = 0;
  // CLOCK_MONOTONIC: stands still while the machine is suspended.
  virtual MonotonicTime Monotonic() const = 0;
  // CLOCK_BOOTTIME: goes on while the machine is suspended.
  virtual MonotonicTime Boottime() const = 0;
};

// The machine's clocks. Only main() and tests of real sockets ask for it.
Clock* RealClock();

// CPU time that the calling thread has had so far (CLOCK_THREAD_CPUTIME_ID); only differences mean
// something. Costs a system call.
absl::Duration ThreadCpuTime();

// Milliseconds since the Unix epoch, as the protos carry wall time.
inline int64_t WallNowMs(const Clock& clock) { return absl::ToUnixMillis(clock.WallNow()); }

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_CLOCK_H_
