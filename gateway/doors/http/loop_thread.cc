#include "gateway/doors/http/loop_thread.h"

#include <utility>

namespace bellwire::http {

thread_local const LoopThread* LoopThread::current_ = nullptr;

void LoopThread::Post(Task task) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    tasks_.push_back(std::move(task));
    if (tasks_.size() > 1) return;  // A Run is on its way.
  }
  // The queue is nobody else's and holds one Run at a time, so it is never full.
  queue_->Post([self = shared_from_this()] { self->Run(); });
}

void LoopThread::Run() {
  std::vector<Task> batch;
  {
    absl::MutexLock lock(&mutex_);
    batch.swap(tasks_);
  }
  for (Task& task : batch) {
    std::move(task)();
    task = nullptr;  // What it holds may be large.
  }
  after_batch_();
}

void LoopThread::Close() {
  // Destroyed without the lock: what they hold may want to post.
  std::vector<Task> dropped;
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  dropped.swap(tasks_);
}

}  // namespace bellwire::http
