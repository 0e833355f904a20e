#include "net/simulated/simulated_loop.h"

#include <cassert>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "net/loop/wheel_timer.h"

namespace bellwire::net {

SimulatedLoop::SimulatedLoop(SimulatedClock* clock)
    : clock_(clock), wheel_(TickOf(clock->Monotonic())) {}

SimulatedLoop::~SimulatedLoop() {
  posted_.clear();
  AfterCallback();
}

void SimulatedLoop::RunFor(absl::Duration d) {
  RunUntil([] { return false; }, d);
}

bool SimulatedLoop::RunUntil(absl::FunctionRef<bool()> done, absl::Duration limit) {
  const MonotonicTime end = clock_->Monotonic() + limit;
  for (;;) {
    if (done()) return true;
    if (RunOne()) continue;
    // Nothing more can happen now: on to the next timer, or to the end.
    const MonotonicTime now = clock_->Monotonic();
    const std::optional<uint64_t> next_tick = wheel_.NextDeadline();
    const std::optional<MonotonicTime> next =
        next_tick.has_value() ? std::optional(MonotonicTime::FromNanoseconds(
                                    static_cast<int64_t>(*next_tick) * kTickNanoseconds))
                              : std::nullopt;
    if (!next.has_value() || *next > end) {
      if (end > now) clock_->Advance(end - now);
      return false;
    }
    clock_->Advance(*next - now);
  }
}

std::unique_ptr<Timer> SimulatedLoop::NewTimer(absl::AnyInvocable<void()> on_fire) {
  return std::make_unique<WheelTimer>(&wheel_, clock_, std::move(on_fire));
}

bool SimulatedLoop::Post(absl::AnyInvocable<void() &&> task) {
  if (posted_.size() >= kMaxPostedTasks) return false;
  posted_.push_back(std::move(task));
  return true;
}

void SimulatedLoop::DeleteLaterErased(std::shared_ptr<void> object) {
  deletions_.push_back(std::move(object));
}

void SimulatedLoop::AfterCallback() {
  while (!deletions_.empty()) {
    std::vector<std::shared_ptr<void>> doomed;
    doomed.swap(deletions_);
  }
}

bool SimulatedLoop::RunOne() {
  if (!posted_.empty()) {
    absl::AnyInvocable<void()&&> task = std::move(posted_.front());
    posted_.pop_front();
    std::move(task)();
    task = nullptr;
    AfterCallback();
    return true;
  }
  if (TimerWheel::Entry* entry = wheel_.PopDue(TickOf(clock_->Monotonic()))) {
    WheelTimer::Fire(entry);
    AfterCallback();
    return true;
  }
  return false;
}

}  // namespace bellwire::net
