#ifndef BELLWIRE_NET_LOOP_WHEEL_TIMER_H_
#define BELLWIRE_NET_LOOP_WHEEL_TIMER_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "net/loop/event_loop.h"
#include "net/loop/timer_wheel.h"

namespace bellwire::net {

// The wheel of a loop counts milliseconds of Clock::Monotonic.
inline constexpr int64_t kTickNanoseconds = 1'000'000;

// The tick that `time` lies in.
inline uint64_t TickOf(MonotonicTime time) {
  return static_cast<uint64_t>(time.nanoseconds() / kTickNanoseconds);
}

// The Timer of EpollLoop and SimulatedLoop: an entry in the loop's wheel.
class WheelTimer final : public Timer, private TimerWheel::Entry {
 public:
  // Both must outlive the timer.
  WheelTimer(TimerWheel* wheel, const Clock* clock, absl::AnyInvocable<void()> on_fire);
  ~WheelTimer() override;

  void Arm(absl::Duration delay) override;
  void Cancel() override;
  bool armed() const override { return Entry::armed(); }

  // For the loop: runs the timer whose entry the wheel gave back.
  static void Fire(TimerWheel::Entry* entry);

 private:
  TimerWheel* const wheel_;
  const Clock* const clock_;
  absl::AnyInvocable<void()> on_fire_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_LOOP_WHEEL_TIMER_H_
