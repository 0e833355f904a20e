#include "net/loop/wheel_timer.h"

#include <algorithm>
#include <utility>

namespace bellwire::net {
namespace {

// Keeps the arithmetic below far from overflow; nobody waits longer.
constexpr absl::Duration kLongestDelay = absl::Hours(100 * 365 * 24);

}  // namespace

WheelTimer::WheelTimer(TimerWheel* wheel, const Clock* clock, absl::AnyInvocable<void()> on_fire)
    : wheel_(wheel), clock_(clock), on_fire_(std::move(on_fire)) {}

WheelTimer::~WheelTimer() { wheel_->Cancel(this); }

void WheelTimer::Arm(absl::Duration delay) {
  const MonotonicTime now = clock_->Monotonic();
  const MonotonicTime due = now + std::clamp(delay, absl::ZeroDuration(), kLongestDelay);
  // The first tick that begins at `due` or later: never early.
  const uint64_t tick =
      static_cast<uint64_t>((due.nanoseconds() + kTickNanoseconds - 1) / kTickNanoseconds);
  wheel_->Arm(this, std::max(tick, TickOf(now) + 1));
}

void WheelTimer::Cancel() { wheel_->Cancel(this); }

void WheelTimer::Fire(TimerWheel::Entry* entry) { static_cast<WheelTimer*>(entry)->on_fire_(); }

}  // namespace bellwire::net
