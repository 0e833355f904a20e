#ifndef BELLWIRE_NET_LOOP_BOOTTIME_ALARM_H_
#define BELLWIRE_NET_LOOP_BOOTTIME_ALARM_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "net/loop/epoll_loop.h"

namespace bellwire::net {

// A Timer that goes on counting while the machine sleeps (timerfd on CLOCK_BOOTTIME), and wakes it
// where that is permitted (CLOCK_BOOTTIME_ALARM, which needs CAP_WAKE_ALARM); else it fires when
// the machine wakes for another reason. Costs a descriptor, and a system call for each Arm.
class BoottimeAlarm final : public Timer {
 public:
  // UNAVAILABLE if the kernel gives no descriptor.
  static absl::StatusOr<std::unique_ptr<BoottimeAlarm>> New(EpollLoop* loop,
                                                            absl::AnyInvocable<void()> on_fire);
  ~BoottimeAlarm() override;

  void Arm(absl::Duration delay) override;
  void Cancel() override;
  bool armed() const override { return armed_; }

  // OK, or why not.
  const absl::Status& wakes_the_machine() const { return wakes_the_machine_; }

 private:
  BoottimeAlarm(EpollLoop* loop, int fd, absl::Status wakes_the_machine,
                absl::AnyInvocable<void()> on_fire);
  void OnReady();

  const int fd_;
  const absl::Status wakes_the_machine_;
  absl::AnyInvocable<void()> on_fire_;
  bool armed_ = false;
  FdWatch watch_;
};

// Says when the machine's wall clock was set, or goes on after a suspend: then the loop's timers,
// which stood still, are late. Costs a descriptor, and no wake-up while nothing of the kind
// happens.
class ClockWatch {
 public:
  // UNAVAILABLE if the kernel can't.
  static absl::StatusOr<std::unique_ptr<ClockWatch>> Start(EpollLoop* loop,
                                                           absl::AnyInvocable<void()> on_change);
  ~ClockWatch();

 private:
  ClockWatch(EpollLoop* loop, int fd, absl::AnyInvocable<void()> on_change);
  void OnReady();

  const int fd_;
  absl::AnyInvocable<void()> on_change_;
  FdWatch watch_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_LOOP_BOOTTIME_ALARM_H_
