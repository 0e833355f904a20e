#include "net/loop/epoll_loop.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "net/loop/wheel_timer.h"

namespace bellwire::net {
namespace {

// What one read takes at most: as much as a TLS record holds.
constexpr size_t kScratchBytes = 16 * 1024;

int NewEpoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    std::perror("epoll_create1");
    std::abort();
  }
  return fd;
}

}  // namespace

EpollLoop::EpollLoop(const Clock* clock, Suspend suspend)
    : clock_(clock),
      epoll_fd_(NewEpoll()),
      wakeup_flag_(suspend == Suspend::kBetweenTurns ? static_cast<uint32_t>(EPOLLWAKEUP) : 0),
      posted_(std::make_shared<PostQueue>()),
      wheel_(TickOf(clock->Monotonic())),
      scratch_(kScratchBytes) {
  woken_.next = woken_.previous = &woken_;
  epoll_event event = {};
  event.events = EPOLLIN | wakeup_flag_;
  event.data.ptr = this;  // Not a watch: the queue.
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, posted_->fd(), &event) != 0) {
    std::perror("epoll_ctl");
    std::abort();
  }
}

EpollLoop::~EpollLoop() {
  // What is dropped here may hold streams and timers, which still need the rest of the loop.
  posted_->Close();
  AfterCallback();
  residents_.clear();
  AfterCallback();
  assert(woken_.next == &woken_);
  close(epoll_fd_);
}

bool EpollLoop::holds_off_suspend() const {
  // The kernel drops the flag without a word; it tells what it kept: "tfd: 5 events: 20000001 data:
  // …".
  std::ifstream info(absl::StrCat("/proc/self/fdinfo/", epoll_fd_));
  std::string word;
  uint32_t events = 0;
  while (info >> word) {
    if (word == "events:" && info >> std::hex >> events) break;
  }
  return (events & static_cast<uint32_t>(EPOLLWAKEUP)) != 0;
}

void EpollLoop::Run() {
  while (!stop_.exchange(false)) {
    const int ready = epoll_wait(epoll_fd_, events_, kEventsPerTurn, WaitTimeoutMs());
    if (ready < 0 && errno != EINTR) {
      std::perror("epoll_wait");
      std::abort();
    }
    RunWatches(std::max(ready, 0));
    RunTimers();
    RunPosted();
    RunWoken();
  }
}

void EpollLoop::Stop() {
  stop_ = true;
  posted_->Wake();
}

std::unique_ptr<Timer> EpollLoop::NewTimer(absl::AnyInvocable<void()> on_fire) {
  return std::make_unique<WheelTimer>(&wheel_, clock_, std::move(on_fire));
}

void EpollLoop::AddResident(std::unique_ptr<Resident> resident) {
  Resident* const key = resident.get();
  residents_.emplace(key, std::move(resident));
}

void EpollLoop::RemoveResident(Resident* resident) {
  const auto it = residents_.find(resident);
  assert(it != residents_.end());
  DeleteLater(std::move(it->second));
  residents_.erase(it);
}

void EpollLoop::DeleteLaterErased(std::shared_ptr<void> object) {
  deletions_.push_back(std::move(object));
}

void EpollLoop::AfterCallback() {
  // A destructor may ask for more.
  while (!deletions_.empty()) {
    std::vector<std::shared_ptr<void>> doomed;
    doomed.swap(deletions_);
  }
}

int EpollLoop::WaitTimeoutMs() {
  if (woken_.next != &woken_ || !posted_->PrepareToWait()) return 0;
  const std::optional<uint64_t> next = wheel_.NextDeadline();
  if (!next.has_value()) return -1;
  const int64_t now_ns = clock_->Monotonic().nanoseconds();
  const int64_t wait_ticks =
      static_cast<int64_t>(*next) - now_ns / kTickNanoseconds;  // Rounded up: epoll is never early.
  return static_cast<int>(std::clamp<int64_t>(wait_ticks, 0, INT_MAX));
}

void EpollLoop::RunWatches(int ready_count) {
  events_end_ = ready_count;
  for (next_event_ = 0; next_event_ < events_end_;) {
    const epoll_event event = events_[next_event_++];
    // The queue, whose work comes later in the turn, or a watch that was struck out.
    if (event.data.ptr == this || event.data.ptr == nullptr) continue;
    static_cast<FdWatch*>(event.data.ptr)->on_ready_(event.events);
    AfterCallback();
  }
  next_event_ = events_end_ = 0;
}

void EpollLoop::RunTimers() {
  const uint64_t now = TickOf(clock_->Monotonic());
  while (TimerWheel::Entry* entry = wheel_.PopDue(now)) {
    WheelTimer::Fire(entry);
    AfterCallback();
  }
}

void EpollLoop::RunPosted() {
  for (PostQueue::Task& task : posted_->Take()) {
    std::move(task)();
    task = nullptr;  // What it holds may be large, or have waited for deletion.
    AfterCallback();
  }
}

void EpollLoop::RunWoken() {
  // A watch that wakes itself again waits for the next turn, hence a list of our own.
  WakeLink now;
  if (woken_.next == &woken_) return;
  now.next = woken_.next;
  now.previous = woken_.previous;
  now.next->previous = now.previous->next = &now;
  woken_.next = woken_.previous = &woken_;
  while (now.next != &now) {
    FdWatch* const watch = static_cast<FdWatch*>(now.next);
    watch->Unwake();
    watch->on_ready_(0);
    AfterCallback();
  }
}

FdWatch::FdWatch(EpollLoop* loop, OnReady on_ready) : loop_(loop), on_ready_(std::move(on_ready)) {}

FdWatch::~FdWatch() { Stop(); }

absl::Status FdWatch::Start(int fd) {
  assert(!watching());
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET | loop_->wakeup_flag_;
  event.data.ptr = this;
  if (epoll_ctl(loop_->epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    // ENOSPC: /proc/sys/fs/epoll/max_user_watches.
    return absl::ResourceExhaustedError(absl::StrCat("epoll_ctl: ", strerror(errno)));
  }
  fd_ = fd;
  return absl::OkStatus();
}

void FdWatch::Stop() {
  Unwake();
  if (!watching()) return;
  epoll_ctl(loop_->epoll_fd_, EPOLL_CTL_DEL, fd_, nullptr);
  fd_ = -1;
  for (int i = loop_->next_event_; i < loop_->events_end_; ++i) {
    if (loop_->events_[i].data.ptr == this) loop_->events_[i].data.ptr = nullptr;
  }
}

void FdWatch::Wake() {
  if (next != nullptr) return;
  EpollLoop::WakeLink* const head = &loop_->woken_;
  next = head;
  previous = head->previous;
  head->previous->next = this;
  head->previous = this;
}

void FdWatch::Unwake() {
  if (next == nullptr) return;
  previous->next = next;
  next->previous = previous;
  next = previous = nullptr;
}

}  // namespace bellwire::net
