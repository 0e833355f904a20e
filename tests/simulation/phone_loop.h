#ifndef BELLWIRE_TESTS_SIMULATION_PHONE_LOOP_H_
#define BELLWIRE_TESTS_SIMULATION_PHONE_LOOP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "net/loop/event_loop.h"

namespace bellwire::simulation {

// The clock of one phone: its wall time is off by as much as somebody set it off, and its monotonic
// time stands still while it is suspended. Thread-compatible.
class PhoneClock final : public Clock {
 public:
  // `truth` must outlive it.
  explicit PhoneClock(const Clock* truth) : truth_(truth) {}

  absl::Time WallNow() const override { return truth_->WallNow() + skew_; }
  MonotonicTime Monotonic() const override { return suspended_ ? stopped_at_ : Running(); }
  MonotonicTime Boottime() const override { return truth_->Boottime(); }

  void set_skew(absl::Duration skew) { skew_ = skew; }
  void Suspend();
  void Resume();
  bool suspended() const { return suspended_; }

 private:
  MonotonicTime Running() const {
    return MonotonicTime() + ((truth_->Monotonic() - MonotonicTime()) - slept_);
  }

  const Clock* const truth_;
  absl::Duration skew_;
  absl::Duration slept_;
  bool suspended_ = false;
  MonotonicTime stopped_at_;
};

// Everything that runs on one phone runs on this: nothing does while the phone is suspended, and
// afterwards each timer has as much left as it had. Single-threaded.
class PhoneLoop final : public net::EventLoop {
 public:
  // `loop` must outlive it.
  explicit PhoneLoop(net::EventLoop* loop) : loop_(loop), clock_(&loop->clock()) {}

  // From a timer of `loop`: then nothing of this phone is posted and has not run.
  void Suspend();
  void Resume();
  bool suspended() const { return clock_.suspended(); }
  void set_skew(absl::Duration skew) { clock_.set_skew(skew); }

  const Clock& clock() const override { return clock_; }
  std::unique_ptr<net::Timer> NewTimer(absl::AnyInvocable<void()> on_fire) override;
  bool Post(absl::AnyInvocable<void() &&> task) override;

 private:
  class PhoneTimer;

  void DeleteLaterErased(std::shared_ptr<void> object) override;

  net::EventLoop* const loop_;
  PhoneClock clock_;
  // By the order in which they were made.
  std::map<uint64_t, PhoneTimer*> timers_;
  uint64_t next_timer_ = 0;
  // For when it wakes up.
  std::vector<absl::AnyInvocable<void() &&>> kept_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_PHONE_LOOP_H_
