#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_SUSPEND_DETECTOR_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_SUSPEND_DETECTOR_H_

#include <algorithm>

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::agent {

// Notices that the machine slept. Linux tells no process; but CLOCK_BOOTTIME goes on then and
// CLOCK_MONOTONIC stands still, so their distance grows by what was slept. Pure; thread-compatible.
class SuspendDetector {
 public:
  // `clock` must outlive it.
  explicit SuspendDetector(const Clock* clock) : clock_(clock), distance_(Distance()) {}

  // How long the machine has slept since the last call, or since the beginning.
  absl::Duration Slept() {
    const absl::Duration before = distance_;
    distance_ = Distance();
    // The two clocks are read one after the other.
    return std::max(absl::ZeroDuration(), distance_ - before);
  }

 private:
  absl::Duration Distance() const { return clock_->Boottime() - clock_->Monotonic(); }

  const Clock* const clock_;
  absl::Duration distance_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_SUSPEND_DETECTOR_H_
