#include "device-agent/core/retry_budget.h"

#include <algorithm>

namespace bellwire::agent {

RetryBudget::RetryBudget(int burst, absl::Duration refill, MonotonicTime now)
    : burst_(burst), refill_(refill), next_token_(now + -refill * (burst - 1)) {}

bool RetryBudget::Take(MonotonicTime now) {
  if (now < next_token_) return false;
  // No more than `burst` are ever there.
  next_token_ = std::max(next_token_, now + -refill_ * (burst_ - 1)) + refill_;
  return true;
}

void RetryBudget::Reset(MonotonicTime now, absl::Duration least_distance) {
  if (was_reset_ && now - last_reset_ < least_distance) return;
  was_reset_ = true;
  last_reset_ = now;
  next_token_ = std::min(next_token_, now + -refill_ * (burst_ - 1));
}

}  // namespace bellwire::agent
