#ifndef BELLWIRE_DEVICE_AGENT_CORE_RETRY_BUDGET_H_
#define BELLWIRE_DEVICE_AGENT_CORE_RETRY_BUDGET_H_

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::agent {

// How many connections may be opened, whatever the reasons: a bucket of tokens, one a connection. A
// back-off spares a server that is away; this spares one that takes every login and drops it again,
// and the battery of a phone whose network comes and goes. Pure; thread-compatible.
class RetryBudget {
 public:
  // Full at `now`: so many at once, and then one every `refill`. REQUIRES: burst >= 1, refill > 0.
  RetryBudget(int burst, absl::Duration refill, MonotonicTime now);

  // Takes one, or says no.
  bool Take(MonotonicTime now);
  // When Take says yes; in the past if it does already.
  MonotonicTime NextToken() const { return next_token_; }
  // Fills it up, unless that was done less than `least_distance` ago.
  void Reset(MonotonicTime now, absl::Duration least_distance);

 private:
  const int burst_;
  const absl::Duration refill_;
  // The bucket in one number ("generic cell rate algorithm"): when the next token is there. Full:
  // so long ago that `burst` of them have come.
  MonotonicTime next_token_;
  MonotonicTime last_reset_;
  bool was_reset_ = false;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_RETRY_BUDGET_H_
