#ifndef BELLWIRE_REGISTRY_QUOTAS_RATE_H_
#define BELLWIRE_REGISTRY_QUOTAS_RATE_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::registry {

// A steady rate, of which one second's worth may come at once: in any T seconds at most
// per_second * (T + 1) pass. It is the generic cell rate algorithm (ITU-T I.371), so one time is
// all that it keeps, and a rate that changes holds at once. Not thread-safe.
class Rate {
 public:
  // nullopt: one more may pass now. Otherwise: the first may pass so much later.
  // REQUIRES: per_second > 0.
  std::optional<absl::Duration> Wait(int64_t per_second, MonotonicTime now) const {
    const absl::Duration after =
        (std::max(free_at_, now) - now) + Interval(per_second) - absl::Seconds(1);
    if (after <= absl::ZeroDuration()) return std::nullopt;
    return after;
  }
  // One passes now.
  void Take(int64_t per_second, MonotonicTime now) {
    free_at_ = std::max(free_at_, now) + Interval(per_second);
  }
  // As if nothing had ever passed.
  bool IsIdle(MonotonicTime now) const { return free_at_ <= now; }

 private:
  // Never zero. What it is too short is below 0.1 % up to a million a second.
  static absl::Duration Interval(int64_t per_second) {
    return absl::Nanoseconds(std::max<int64_t>(1'000'000'000 / per_second, 1));
  }

  // When what has passed so far would be through at the steady rate.
  MonotonicTime free_at_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_QUOTAS_RATE_H_
