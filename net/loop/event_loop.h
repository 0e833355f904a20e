#ifndef BELLWIRE_NET_LOOP_EVENT_LOOP_H_
#define BELLWIRE_NET_LOOP_EVENT_LOOP_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::net {

// One timer of a loop, for as long as its owner lives; destroying it cancels it. Arming and
// cancelling are O(1) and allocate nothing.
class Timer {
 public:
  virtual ~Timer() = default;  // Cancels.
  // Fires once after `delay` (rounded up to the loop's tick, 1 ms, and at least one tick; never
  // early), instead of when it was armed for before. Time is Clock::Monotonic. Timers fire in the
  // order of their ticks; within one tick the order is not specified.
  virtual void Arm(absl::Duration delay) = 0;
  virtual void Cancel() = 0;
  virtual bool armed() const = 0;
};

// Runs callbacks on one thread: timers, posted work and, in EpollLoop, sockets. Its simulated twin
// (SimulatedLoop) runs a whole fleet in one thread on a virtual clock.
//
// Single-threaded: everything but Post is for the loop's own thread (or before it runs). No
// callback runs inside another, and an object may be destroyed inside its own callback only through
// DeleteLater.
class EventLoop {
 public:
  virtual ~EventLoop() = default;

  virtual const Clock& clock() const = 0;

  // Calls `on_fire` each time the timer fires. The loop must outlive the timer.
  virtual std::unique_ptr<Timer> NewTimer(absl::AnyInvocable<void()> on_fire) = 0;

  // Runs `task` on the loop's thread, after the current callback, in the order of the calls.
  // Thread-safe: the only method that is. False if kMaxPostedTasks are waiting already: nothing
  // will run, and the caller answers "overloaded".
  virtual bool Post(absl::AnyInvocable<void() &&> task) = 0;

  // Destroys `object` after the current callback.
  template <typename T>
  void DeleteLater(std::unique_ptr<T> object) {
    DeleteLaterErased(std::shared_ptr<void>(std::move(object)));
  }

 private:
  virtual void DeleteLaterErased(std::shared_ptr<void> object) = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_LOOP_EVENT_LOOP_H_
