#include "device-agent/heartbeat/interval_search.h"

#include <algorithm>
#include <cmath>

namespace bellwire::agent {
namespace {

constexpr double kMaxStride = 2;
// A beat may come a little early (aligned) or late (the timer, the radio) and still be one of its
// interval.
constexpr double kEarly = 0.8;
constexpr double kLate = 1.05;
constexpr absl::Duration kLateSlack = absl::Seconds(5);
// Targets are whole milliseconds: what rounding takes away is given back.
constexpr absl::Duration kTick = absl::Milliseconds(1);

}  // namespace

absl::Duration IntervalSearch::Target() const {
  absl::Duration wanted;
  switch (record_.phase) {
    case Phase::kClimbing:
      wanted = Climb();
      break;
    case Phase::kRefining:
      wanted = Refine();
      break;
    case Phase::kSettled:
      wanted = record_.good;
      break;
    case Phase::kProbing:
      wanted = record_.good * record_.stride;
      break;
  }
  // Whole milliseconds, as the protocol and the record carry them.
  wanted = absl::Floor(wanted, absl::Milliseconds(1));
  return std::clamp(wanted, bounds_.min, std::max(bounds_.min, bounds_.max));
}

absl::Duration IntervalSearch::Climb() const {
  if (blank() && bounds_.hint > absl::ZeroDuration()) return bounds_.hint;
  const absl::Duration top = record_.bad == absl::InfiniteDuration()
                                 ? bounds_.max
                                 : std::min(bounds_.max, record_.bad * kRetreat);
  for (const absl::Duration rung : kRungs) {
    if (rung > record_.good && rung < top) return rung;
  }
  return top;
}

absl::Duration IntervalSearch::Refine() const {
  if (record_.good == absl::ZeroDuration()) {
    // Nothing works yet. Halving finds in a few beats what survives, or the least that is allowed.
    return record_.bad > kShortestGuess ? kShortestGuess : record_.bad / 2;
  }
  // As many steps as the distance needs, all of the same ratio.
  const double distance = absl::FDivDuration(record_.bad / kFineStep, record_.good);
  const double steps = std::max(1.0, std::ceil(std::log(distance) / std::log(kFineStep)));
  return record_.good * std::pow(distance, 1 / steps) + kTick;
}

void IntervalSearch::Survived(absl::Duration silence, absl::Time now) {
  const absl::Duration target = Target();
  if (record_.phase == Phase::kSettled) {
    if (record_.doubt > 0) --record_.doubt;
    if (record_.good >= bounds_.max) return;
    // A clock that was set back must not put the probe off for years.
    record_.next_probe = std::min(record_.next_probe, now + kProbeWaitMax);
    // Right after a silence that nothing interrupted: when it was quiet it likely stays quiet, and
    // a probe that fails delays nothing.
    if (now < record_.next_probe || silence + kTick < target) return;
    record_.phase = Phase::kProbing;
    record_.stride = kFineStep;
    record_.probe_beats = 0;
    return;
  }
  if (silence + kTick < target) return;
  switch (record_.phase) {
    case Phase::kClimbing: {
      const bool was_hint = blank() && bounds_.hint > absl::ZeroDuration();
      // Climbing again after a failure ends below it.
      const bool at_top = record_.bad != absl::InfiniteDuration() &&
                          target >= std::min(bounds_.max, record_.bad * kRetreat) - kTick;
      record_.good = target;
      if (was_hint || at_top || target >= bounds_.max) Settle(record_.probe_wait, now);
      return;
    }
    case Phase::kRefining:
      record_.good = target;
      if (refined() || target >= bounds_.max) Settle(record_.probe_wait, now);
      return;
    case Phase::kProbing:
      if (++record_.probe_beats < kProbeBeats) return;
      // It got better. On in growing strides: each is a risk, so few of them.
      record_.probe_beats = 0;
      record_.good = target;
      if (record_.bad <= target) record_.bad = absl::InfiniteDuration();
      record_.stride = std::min(kMaxStride, record_.stride * record_.stride);
      if (target >= bounds_.max) Settle(kProbeWaitMin, now);
      return;
    case Phase::kSettled:
      return;
  }
}

void IntervalSearch::Died(absl::Duration silence, absl::Time now) {
  const absl::Duration target = Target();
  if (silence < target * kEarly || silence > target * kLate + kLateSlack) return;
  switch (record_.phase) {
    case Phase::kClimbing: {
      const bool was_hint = blank() && bounds_.hint > absl::ZeroDuration();
      record_.bad = target;
      // A wrong hint: up the rungs below it, as if there had been none.
      if (was_hint) return;
      record_.phase = Phase::kRefining;
      if (record_.good > absl::ZeroDuration() && refined()) Settle(record_.probe_wait, now);
      return;
    }
    case Phase::kRefining:
      record_.bad = target;
      if (record_.good > absl::ZeroDuration()) {
        Settle(record_.probe_wait, now);
      } else if (target <= bounds_.min) {
        // Not even the shortest that the server allows: nothing shorter is left to try.
        record_.good = target;
        Settle(record_.probe_wait, now);
      }
      return;
    case Phase::kProbing:
      record_.bad = target;
      // After strides that succeeded the waits start anew: this network is in motion.
      if (record_.stride > kFineStep) record_.probe_wait = kProbeWaitMin;
      Settle(record_.probe_wait, now);
      return;
    case Phase::kSettled:
      if (target <= bounds_.min) return;
      // Worse than it was, a time-out that varies, or a false alarm: up the rungs once more, to
      // where it was, or if that was in doubt already to a little less.
      record_.phase = Phase::kClimbing;
      record_.good = absl::ZeroDuration();
      if (record_.doubt == 0) {
        record_.bad = target / kRetreat;
      } else {
        record_.bad = target;
        record_.probe_wait = kProbeWaitMax;
      }
      record_.doubt = kDoubtBeats;
      return;
  }
}

void IntervalSearch::Settle(absl::Duration wait, absl::Time now) {
  record_.phase = Phase::kSettled;
  record_.stride = kFineStep;
  record_.probe_beats = 0;
  record_.next_probe = now + wait;
  record_.probe_wait = std::min(wait * 2, kProbeWaitMax);
}

}  // namespace bellwire::agent
