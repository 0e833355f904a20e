#ifndef BELLWIRE_TESTS_SIMULATION_BACKBONE_H_
#define BELLWIRE_TESTS_SIMULATION_BACKBONE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "net/loop/event_loop.h"
#include "rpc/registry_api.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace bellwire::simulation {

// The network between the server's processes, as calls see it: they take time, overtake each other
// and get lost, or their answers do; a link may be cut. Single-threaded.
class Backbone {
 public:
  Backbone(net::EventLoop* loop, uint64_t seed)
      : loop_(loop), scheduler_(loop), random_(seed, "backbone") {}

  // From 0 to 1, of each request and of each answer.
  void set_loss(double loss) { loss_ = loss; }
  // Some messages take up to so much longer, and all the others overtake them; a request may arrive
  // long after its caller has given up and repeated it.
  void set_slowness(absl::Duration most) { slowness_ = most; }
  // Nothing passes between this process and the others.
  void Isolate(const std::string& process) { isolated_.insert(process); }
  void Heal(const std::string& process) { isolated_.erase(process); }
  void HealAll() { isolated_.clear(); }

  bool Reaches(const std::string& a, const std::string& b) const {
    return !isolated_.contains(a) && !isolated_.contains(b);
  }
  // How long one message takes; nullopt: it is lost.
  std::optional<absl::Duration> Travel(const std::string& from, const std::string& to) {
    absl::Duration time = random_.Chance(0.01)
                              ? random_.Between(absl::Milliseconds(1), absl::Seconds(3))
                              : random_.Between(absl::Microseconds(200), absl::Milliseconds(3));
    if (slowness_ > absl::ZeroDuration() && random_.Chance(0.2)) {
      time += random_.Between(absl::ZeroDuration(), slowness_);
    }
    if (!Reaches(from, to) || (loss_ > 0 && random_.Chance(loss_))) return std::nullopt;
    return time;
  }
  // The same for a stream, which sends again what was lost: then it takes longer. nullopt: it is
  // lost for good.
  std::optional<absl::Duration> TravelOnStream(const std::string& from, const std::string& to) {
    const std::optional<absl::Duration> time = Travel(from, to);
    if (time.has_value() || !Reaches(from, to) || random_.Chance(0.05)) return time;
    return random_.Between(absl::Milliseconds(200), absl::Seconds(2));
  }
  Scheduler& scheduler() { return scheduler_; }
  MonotonicTime Now() const { return loop_->clock().Monotonic(); }

 private:
  net::EventLoop* const loop_;
  Scheduler scheduler_;
  Random random_;
  double loss_ = 0;
  absl::Duration slowness_;
  std::set<std::string> isolated_;
};

// The calls of one life of a process that wait for their answers. Destroying it forgets them: the
// process is dead. Every call is answered once, with `on_deadline` if nothing else comes in time.
class Calls {
 public:
  explicit Calls(Backbone* backbone) : backbone_(backbone) {}

  // The way an answer takes; it may be used on anything's behalf, at any time, more than once.
  template <typename Answer>
  using Reply = std::function<void(Answer)>;

  template <typename Answer>
  Reply<Answer> Begin(absl::AnyInvocable<void(Answer) &&> done, absl::Duration deadline,
                      std::function<Answer()> on_deadline) {
    const uint64_t id = next_++;
    auto slot = std::make_shared<absl::AnyInvocable<void(Answer) &&>>(std::move(done));
    std::weak_ptr<absl::AnyInvocable<void(Answer)&&>> weak = slot;
    waiting_->emplace(id, std::move(slot));
    Reply<Answer> reply = [weak, id, waiting = std::weak_ptr(waiting_)](Answer answer) {
      const auto strong = weak.lock();
      const auto all = waiting.lock();
      if (strong == nullptr || all == nullptr) return;
      all->erase(id);
      std::move (*strong)(std::move(answer));
    };
    backbone_->scheduler().After(deadline, [reply, weak, on_deadline = std::move(on_deadline)] {
      if (!weak.expired()) reply(on_deadline());
    });
    return reply;
  }

 private:
  Backbone* const backbone_;
  uint64_t next_ = 0;
  const std::shared_ptr<std::map<uint64_t, std::shared_ptr<void>>> waiting_ =
      std::make_shared<std::map<uint64_t, std::shared_ptr<void>>>();
};

// The registry, called over the backbone by one life of `caller`, one call by another. `find`
// answers null while the registry is down.
std::unique_ptr<UnaryRegistryApi> NewRegistryClient(Backbone* backbone, std::string caller,
                                               std::function<RegistryApi*()> find);

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_BACKBONE_H_
