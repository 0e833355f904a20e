#include "net/loop/boottime_alarm.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bellwire::net {
namespace {

// Keeps the arithmetic far from overflow; nobody waits longer.
constexpr absl::Duration kLongestDelay = absl::Hours(100 * 365 * 24);

int NewTimer(int clock) { return timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC); }

absl::Status CannotHave(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(errno)));
}

// Waits for a time that does not come, to be told of the clock's jumps (timerfd_create(2)).
bool WaitForJump(int fd) {
  itimerspec never = {};
  never.it_value = absl::ToTimespec(absl::FromUnixSeconds(INT32_MAX * int64_t{2}));
  return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BoottimeAlarm>> BoottimeAlarm::New(
    EpollLoop* loop, absl::AnyInvocable<void()> on_fire) {
  absl::Status wakes;
  int fd = NewTimer(CLOCK_BOOTTIME_ALARM);
  if (fd < 0) {
    wakes = CannotHave("CLOCK_BOOTTIME_ALARM");
    fd = NewTimer(CLOCK_BOOTTIME);
  }
  if (fd < 0) return CannotHave("timerfd");
  std::unique_ptr<BoottimeAlarm> alarm(
      new BoottimeAlarm(loop, fd, std::move(wakes), std::move(on_fire)));
  if (absl::Status s = alarm->watch_.Start(fd); !s.ok()) return s;
  return alarm;
}

BoottimeAlarm::BoottimeAlarm(EpollLoop* loop, int fd, absl::Status wakes_the_machine,
                             absl::AnyInvocable<void()> on_fire)
    : fd_(fd),
      wakes_the_machine_(std::move(wakes_the_machine)),
      on_fire_(std::move(on_fire)),
      watch_(loop, [this](uint32_t) { OnReady(); }) {}

BoottimeAlarm::~BoottimeAlarm() {
  watch_.Stop();
  close(fd_);
}

void BoottimeAlarm::Arm(absl::Duration delay) {
  // Zero would disarm it.
  delay = std::clamp<absl::Duration>(delay, absl::Nanoseconds(1), kLongestDelay);
  itimerspec spec = {};
  spec.it_value = absl::ToTimespec(delay);
  timerfd_settime(fd_, 0, &spec, nullptr);
  armed_ = true;
}

void BoottimeAlarm::Cancel() {
  if (!armed_) return;
  const itimerspec never = {};
  timerfd_settime(fd_, 0, &never, nullptr);
  armed_ = false;
}

void BoottimeAlarm::OnReady() {
  uint64_t expirations;
  // Not if it was armed anew between its expiry and now.
  if (read(fd_, &expirations, sizeof(expirations)) != sizeof(expirations) || !armed_) return;
  armed_ = false;
  on_fire_();
}

absl::StatusOr<std::unique_ptr<ClockWatch>> ClockWatch::Start(
    EpollLoop* loop, absl::AnyInvocable<void()> on_change) {
  const int fd = NewTimer(CLOCK_REALTIME);
  if (fd < 0) return CannotHave("timerfd");
  std::unique_ptr<ClockWatch> watch(new ClockWatch(loop, fd, std::move(on_change)));
  if (!WaitForJump(fd)) return CannotHave("timerfd_settime");
  if (absl::Status s = watch->watch_.Start(fd); !s.ok()) return s;
  return watch;
}

ClockWatch::ClockWatch(EpollLoop* loop, int fd, absl::AnyInvocable<void()> on_change)
    : fd_(fd), on_change_(std::move(on_change)), watch_(loop, [this](uint32_t) { OnReady(); }) {}

ClockWatch::~ClockWatch() {
  watch_.Stop();
  close(fd_);
}

void ClockWatch::OnReady() {
  uint64_t expirations;
  if (read(fd_, &expirations, sizeof(expirations)) >= 0 || errno != ECANCELED) return;
  WaitForJump(fd_);
  on_change_();
}

}  // namespace bellwire::net
