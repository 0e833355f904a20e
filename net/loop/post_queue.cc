#include "net/loop/post_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "common/limits.h"

namespace bellwire::net {
namespace {

int NewEventFd() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) {
    std::perror("eventfd");
    std::abort();
  }
  return fd;
}

void Signal(int fd) {
  const uint64_t one = 1;
  (void)!write(fd, &one, sizeof(one));
}

}  // namespace

PostQueue::PostQueue() : fd_(NewEventFd()) {}

PostQueue::~PostQueue() { close(fd_); }

bool PostQueue::Post(Task task) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || tasks_.size() >= kMaxPostedTasks) return false;
    tasks_.push_back(std::move(task));
    if (!waiting_) return true;
    waiting_ = false;
    signalled_ = true;
  }
  // Without the mutex: whoever is woken may run at once, on this very processor, and locks it first
  // of all. The descriptor is there: the caller shares the queue, or is done before the loop goes.
  Signal(fd_);
  return true;
}

void PostQueue::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  SignalIfWaiting();
}

std::vector<PostQueue::Task> PostQueue::Take() {
  std::vector<Task> taken;
  absl::MutexLock lock(&mutex_);
  // Who ended the wait may not have come to the signal yet: then a later Take reads it.
  uint64_t count;
  if (signalled_ && read(fd_, &count, sizeof(count)) > 0) signalled_ = false;
  waiting_ = false;
  woken_ = false;
  taken.swap(tasks_);
  return taken;
}

bool PostQueue::PrepareToWait() {
  absl::MutexLock lock(&mutex_);
  waiting_ = tasks_.empty() && !woken_;
  return waiting_;
}

void PostQueue::Close() {
  std::vector<Task> dropped;
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  dropped.swap(tasks_);
}

void PostQueue::SignalIfWaiting() {
  // Only the first Post of a wait pays for a system call.
  if (!waiting_) return;
  waiting_ = false;
  signalled_ = true;
  Signal(fd_);
}

}  // namespace bellwire::net
