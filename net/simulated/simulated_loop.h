#ifndef BELLWIRE_NET_SIMULATED_SIMULATED_LOOP_H_
#define BELLWIRE_NET_SIMULATED_SIMULATED_LOOP_H_

#include <deque>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/simulated_clock.h"
#include "net/loop/event_loop.h"
#include "net/loop/timer_wheel.h"

namespace bellwire::net {

// EpollLoop's twin for tests: nothing happens until the test lets time pass, and a fleet of devices
// and servers can share one. Everything runs in an order that depends on the calls alone.
// Single-threaded: Post too is for the test's own thread.
class SimulatedLoop final : public EventLoop {
 public:
  // `clock` must outlive the loop. Only RunFor and RunUntil advance it; a test may jump or suspend
  // it, or advance it too: then timers are late.
  explicit SimulatedLoop(SimulatedClock* clock);
  ~SimulatedLoop() override;

  // Lets `d` pass, running everything that falls due on the way.
  void RunFor(absl::Duration d);
  // Runs what can run without time passing: posted tasks, and timers that are due.
  void RunUntilIdle() { RunFor(absl::ZeroDuration()); }
  // Lets time pass until `done` holds, asked after every callback; false if it takes longer than
  // `limit`.
  bool RunUntil(absl::FunctionRef<bool()> done, absl::Duration limit);

  const Clock& clock() const override { return *clock_; }
  std::unique_ptr<Timer> NewTimer(absl::AnyInvocable<void()> on_fire) override;
  bool Post(absl::AnyInvocable<void() &&> task) override;

 private:
  void DeleteLaterErased(std::shared_ptr<void> object) override;
  void AfterCallback();
  // Runs one thing that can run now; false if there is nothing.
  bool RunOne();

  SimulatedClock* const clock_;
  TimerWheel wheel_;
  std::deque<absl::AnyInvocable<void() &&>> posted_;
  std::vector<std::shared_ptr<void>> deletions_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SIMULATED_SIMULATED_LOOP_H_
