#ifndef BELLWIRE_COMMON_SIMULATED_CLOCK_H_
#define BELLWIRE_COMMON_SIMULATED_CLOCK_H_

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire {

// A clock that stands still until told. Starts at 2026-01-01T00:00:00Z wall time and one hour of
// uptime. Not thread-safe.
class SimulatedClock final : public Clock {
 public:
  absl::Time WallNow() const override { return wall_; }
  MonotonicTime Monotonic() const override { return monotonic_; }
  MonotonicTime Boottime() const override { return boottime_; }

  // Time passes, on all three clocks. REQUIRES: d >= 0.
  void Advance(absl::Duration d) {
    wall_ += d;
    monotonic_ = monotonic_ + d;
    boottime_ = boottime_ + d;
  }
  // The machine sleeps: monotonic time stands still.
  void Suspend(absl::Duration d) {
    wall_ += d;
    boottime_ = boottime_ + d;
  }
  // Somebody sets the wall clock.
  void JumpWall(absl::Duration d) { wall_ += d; }

 private:
  absl::Time wall_ = absl::FromUnixSeconds(1'767'225'600);
  MonotonicTime monotonic_ = MonotonicTime() + absl::Hours(1);
  MonotonicTime boottime_ = MonotonicTime() + absl::Hours(1);
};

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_SIMULATED_CLOCK_H_
