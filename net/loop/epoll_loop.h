#ifndef BELLWIRE_NET_LOOP_EPOLL_LOOP_H_
#define BELLWIRE_NET_LOOP_EPOLL_LOOP_H_

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "net/loop/event_loop.h"
#include "net/loop/post_queue.h"
#include "net/loop/timer_wheel.h"

namespace bellwire::net {

// When the machine may suspend itself (autosleep, wake locks).
enum class Suspend : uint8_t {
  // At any time.
  kAtAnyTime,
  // Not between an event of a watched descriptor and the end of the turn that takes it
  // (EPOLLWAKEUP), where that is permitted (CAP_BLOCK_SUSPEND): or else a phone that was woken for
  // us might sleep again before we did what it was woken for.
  kBetweenTurns,
};

// The EventLoop of real programs, on epoll(7). Besides what EventLoop promises, it watches file
// descriptors (FdWatch). It wakes only for a descriptor, a timer that is due or a Post.
//
// One turn: descriptors that are ready, timers that are due, posted tasks, woken watches; each of
// them once, so that none can starve the others.
class EpollLoop final : public EventLoop {
 public:
  // `clock` must be the machine's (epoll waits in real time) and outlive the loop. Aborts if the
  // kernel has no descriptor left.
  explicit EpollLoop(const Clock* clock, Suspend suspend = Suspend::kAtAnyTime);
  // Drops posted tasks and residents. REQUIRES: Run is not running; timers and watches are gone.
  ~EpollLoop() override;

  // Serves until Stop. The thread that calls it is the loop's thread.
  void Run();
  // Makes Run return after the current turn; if it isn't running, the next Run returns at once.
  // Thread-safe.
  void Stop();

  const Clock& clock() const override { return *clock_; }
  std::unique_ptr<Timer> NewTimer(absl::AnyInvocable<void()> on_fire) override;
  bool Post(absl::AnyInvocable<void() &&> task) override { return posted_->Post(std::move(task)); }
  // Whether kBetweenTurns was asked for, is permitted, and means something to this kernel. Reads
  // /proc.
  bool holds_off_suspend() const;
  // For threads that may outlive the loop.
  std::shared_ptr<PostQueue> post_queue() const { return posted_; }

  // Whether something waits for DeleteLater, perhaps the caller itself: who calls back more than
  // once in a turn of his asks in between, and goes on in a later turn (FdWatch::Wake).
  bool deletions_pending() const { return !deletions_.empty(); }

  // What finishes its work by itself, owned by the loop until then.
  class Resident {
   public:
    virtual ~Resident() = default;
  };
  void AddResident(std::unique_ptr<Resident> resident);
  // Destroys it after the current callback. REQUIRES: added, and not removed yet.
  void RemoveResident(Resident* resident);

  // For reading a socket into, within one callback: connections have no read buffer of their own.
  absl::Span<char> scratch() { return absl::MakeSpan(scratch_); }

 private:
  friend class FdWatch;
  // Of a list that is circular through a sentinel.
  struct WakeLink {
    WakeLink* next = nullptr;
    WakeLink* previous = nullptr;
  };

  void DeleteLaterErased(std::shared_ptr<void> object) override;
  void AfterCallback();
  int WaitTimeoutMs();
  void RunWatches(int ready_count);
  void RunTimers();
  void RunPosted();
  void RunWoken();

  static constexpr int kEventsPerTurn = 64;

  const Clock* const clock_;
  const int epoll_fd_;
  // EPOLLWAKEUP or nothing.
  const uint32_t wakeup_flag_;
  const std::shared_ptr<PostQueue> posted_;
  std::atomic<bool> stop_{false};
  TimerWheel wheel_;
  // What epoll_wait returned; a watch that stops strikes itself out of [next_event_, events_end_).
  epoll_event events_[kEventsPerTurn];
  int next_event_ = 0;
  int events_end_ = 0;
  // Watches that asked for Wake.
  WakeLink woken_;
  std::vector<std::shared_ptr<void>> deletions_;
  absl::flat_hash_map<Resident*, std::unique_ptr<Resident>> residents_;
  std::vector<char> scratch_;
};

// One file descriptor on an EpollLoop, edge-triggered: `on_ready` is called with the EPOLL* bits
// when something *changed*, so it must read and write until the kernel says EAGAIN, or Wake()
// itself to go on later. Edges cost one epoll_ctl per connection for all its life, and a peer that
// hung up can't make a connection spin that doesn't want to read now.
//
// On the loop's thread. The loop must outlive it. May be destroyed in any callback but its own.
class FdWatch : private EpollLoop::WakeLink {
 public:
  // With the EPOLL* bits, or 0 after Wake() alone.
  using OnReady = absl::AnyInvocable<void(uint32_t events)>;

  FdWatch(EpollLoop* loop, OnReady on_ready);
  ~FdWatch();  // Stops.
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  // Watches `fd` for reading, writing and hanging up. RESOURCE_EXHAUSTED or another code if the
  // kernel refuses. REQUIRES: not watching; `fd` stays open until Stop.
  absl::Status Start(int fd);
  void Stop();
  bool watching() const { return fd_ >= 0; }

  // Calls `on_ready` once more, at the end of this turn of the loop or in the next, whatever the
  // kernel says. Works without Start too.
  void Wake();

 private:
  friend class EpollLoop;

  void Unwake();

  EpollLoop* const loop_;
  int fd_ = -1;
  OnReady on_ready_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_LOOP_EPOLL_LOOP_H_
