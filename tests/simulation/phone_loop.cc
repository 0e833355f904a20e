#include "tests/simulation/phone_loop.h"

#include <algorithm>
#include <utility>

namespace bellwire::simulation {

void PhoneClock::Suspend() {
  stopped_at_ = Running();
  suspended_ = true;
}

void PhoneClock::Resume() {
  slept_ += Running() - stopped_at_;
  suspended_ = false;
}

class PhoneLoop::PhoneTimer final : public net::Timer {
 public:
  PhoneTimer(PhoneLoop* loop, absl::AnyInvocable<void()> on_fire)
      : loop_(loop), id_(loop->next_timer_++), on_fire_(std::move(on_fire)) {
    timer_ = loop->loop_->NewTimer([this] {
      armed_ = false;
      on_fire_();
    });
    loop->timers_.emplace(id_, this);
  }
  ~PhoneTimer() override { loop_->timers_.erase(id_); }

  void Arm(absl::Duration delay) override {
    armed_ = true;
    due_ = loop_->clock_.Monotonic() + std::max(absl::ZeroDuration(), delay);
    if (!loop_->suspended()) timer_->Arm(delay);
  }
  void Cancel() override {
    armed_ = false;
    timer_->Cancel();
  }
  bool armed() const override { return armed_; }

  void Suspend() { timer_->Cancel(); }
  void Resume() {
    if (armed_) timer_->Arm(due_ - loop_->clock_.Monotonic());
  }

 private:
  PhoneLoop* const loop_;
  const uint64_t id_;
  absl::AnyInvocable<void()> on_fire_;
  std::unique_ptr<net::Timer> timer_;
  bool armed_ = false;
  MonotonicTime due_;
};

void PhoneLoop::Suspend() {
  clock_.Suspend();
  for (const auto& [id, timer] : timers_) timer->Suspend();
}

void PhoneLoop::Resume() {
  clock_.Resume();
  for (const auto& [id, timer] : timers_) timer->Resume();
  for (absl::AnyInvocable<void() &&>& task : std::exchange(kept_, {})) loop_->Post(std::move(task));
}

std::unique_ptr<net::Timer> PhoneLoop::NewTimer(absl::AnyInvocable<void()> on_fire) {
  return std::make_unique<PhoneTimer>(this, std::move(on_fire));
}

bool PhoneLoop::Post(absl::AnyInvocable<void() &&> task) {
  if (!suspended()) return loop_->Post(std::move(task));
  kept_.push_back(std::move(task));
  return true;
}

void PhoneLoop::DeleteLaterErased(std::shared_ptr<void> object) {
  loop_->DeleteLater(std::make_unique<std::shared_ptr<void>>(std::move(object)));
}

}  // namespace bellwire::simulation
