#ifndef BELLWIRE_TESTS_SIMULATION_SCHEDULER_H_
#define BELLWIRE_TESTS_SIMULATION_SCHEDULER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "net/loop/event_loop.h"

namespace bellwire::simulation {

// Things to do later, once each. What is not done when it is destroyed is not done at all: whoever
// dies takes its plans along. Single-threaded.
class Scheduler {
 public:
  // `loop` must outlive it.
  explicit Scheduler(net::EventLoop* loop) : loop_(loop) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void After(absl::Duration delay, absl::AnyInvocable<void() &&> task) {
    const uint64_t id = next_++;
    Plan& plan = plans_[id];
    plan.task = std::move(task);
    plan.timer = loop_->NewTimer([this, id] { Run(id); });
    plan.timer->Arm(delay);
  }

 private:
  struct Plan {
    absl::AnyInvocable<void() &&> task;
    std::unique_ptr<net::Timer> timer;
  };

  void Run(uint64_t id) {
    const auto it = plans_.find(id);
    absl::AnyInvocable<void()&&> task = std::move(it->second.task);
    loop_->DeleteLater(std::move(it->second.timer));
    plans_.erase(it);
    // The last thing: it may destroy this.
    std::move(task)();
  }

  net::EventLoop* const loop_;
  uint64_t next_ = 0;
  std::map<uint64_t, Plan> plans_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_SCHEDULER_H_
