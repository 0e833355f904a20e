#include "connector/shard/catch_up_plan.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "absl/random/distributions.h"
#include "common/limits.h"

namespace bellwire::connector {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(10);
constexpr size_t kSessionsPerStep = kCatchUpsPerSecond / 100;
static_assert(kSessionsPerStep > 0, "each step gets somewhere");
constexpr int kRounds = 2;

}  // namespace

void CatchUpPlan::NoteLoss(MonotonicTime now, absl::BitGenRef random) {
  rounds_ = kRounds;
  delay_ = absl::Milliseconds(absl::Uniform(random, absl::ToInt64Milliseconds(kCatchUpDelayMin),
                                            absl::ToInt64Milliseconds(kCatchUpDelayMax)));
  if (!left_.empty()) {
    lost_meanwhile_ = true;
    return;
  }
  const MonotonicTime at = now + delay_;
  // A second loss just before the round of a first one gets a round of its own: the second.
  next_ = next_.has_value() ? std::min(*next_, at) : at;
}

std::vector<uint64_t> CatchUpPlan::Step(MonotonicTime now,
                                        absl::FunctionRef<std::vector<uint64_t>()> every_session) {
  assert(next_.has_value() && now >= *next_);
  if (left_.empty()) {
    --rounds_;
    left_ = every_session();
  }
  const size_t due = std::min(left_.size(), kSessionsPerStep);
  const std::vector<uint64_t> turn(left_.end() - static_cast<ptrdiff_t>(due), left_.end());
  left_.resize(left_.size() - due);
  if (!left_.empty()) {
    next_ = now + kStep;
    return turn;
  }
  std::vector<uint64_t>().swap(left_);
  if (lost_meanwhile_) {
    lost_meanwhile_ = false;
    next_ = now + delay_;
  } else if (rounds_ > 0) {
    next_ = now + kRegistryCallTimeout;
  } else {
    next_.reset();
  }
  return turn;
}

}  // namespace bellwire::connector
