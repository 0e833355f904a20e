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

}  // namespace

PostQueue::PostQueue() : fd_(NewEventFd()) {}

PostQueue::~PostQueue() { close(fd_); }

bool PostQueue::Post(Task task) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || tasks_.size() >= kMaxPostedTasks) return false;
  tasks_.push_back(std::move(task));
  SignalIfWaiting();
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
  if (signalled_) {
    uint64_t count;
    (void)!read(fd_, &count, sizeof(count));
    signalled_ = false;
  }
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
  const uint64_t one = 1;
  (void)!write(fd_, &one, sizeof(one));
}

}  // namespace bellwire::net
