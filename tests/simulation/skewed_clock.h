#ifndef BELLWIRE_TESTS_SIMULATION_SKEWED_CLOCK_H_
#define BELLWIRE_TESTS_SIMULATION_SKEWED_CLOCK_H_

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::simulation {

// The clock of one machine: its wall time is off by as much as somebody set it off.
// Thread-compatible.
class SkewedClock final : public Clock {
 public:
  // `truth` must outlive it.
  explicit SkewedClock(const Clock* truth) : truth_(truth) {}

  absl::Time WallNow() const override { return truth_->WallNow() + skew_; }
  MonotonicTime Monotonic() const override { return truth_->Monotonic(); }
  MonotonicTime Boottime() const override { return truth_->Boottime(); }

  void set_skew(absl::Duration skew) { skew_ = skew; }

 private:
  const Clock* const truth_;
  absl::Duration skew_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_SKEWED_CLOCK_H_
