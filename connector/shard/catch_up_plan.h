#ifndef BELLWIRE_CONNECTOR_SHARD_CATCH_UP_PLAN_H_
#define BELLWIRE_CONNECTOR_SHARD_CATCH_UP_PLAN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::connector {

// When the sessions of a shard look into their mailboxes, after deliveries may have got lost: all
// of them once soon (kCatchUpDelayMin … kCatchUpDelayMax) and once more kRegistryCallTimeout later,
// no more than kCatchUpsPerSecond of them. Losses that come while this is under way start it again,
// and are never postponed by others. Pure; thread-compatible. Holds no heap memory while nothing is
// due.
class CatchUpPlan {
 public:
  // Deliveries were lost up to `now`.
  void NoteLoss(MonotonicTime now, absl::BitGenRef random);

  // When Step is to be called; nullopt: not at all.
  std::optional<MonotonicTime> next() const { return next_; }
  // The sessions whose turn it is. `every_session` is asked when a round begins.
  // REQUIRES: now >= next().
  std::vector<uint64_t> Step(MonotonicTime now,
                             absl::FunctionRef<std::vector<uint64_t>()> every_session);

 private:
  std::optional<MonotonicTime> next_;
  // Rounds not begun, and what is left of the one that was.
  int rounds_ = 0;
  std::vector<uint64_t> left_;
  // Of the last loss.
  absl::Duration delay_;
  // There was a loss since this round began.
  bool lost_meanwhile_ = false;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_CATCH_UP_PLAN_H_
