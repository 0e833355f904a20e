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

void LoopThread::PostInTurn(Task task) {
  Post([this, task = std::move(task)]() mutable { Stand(std::move(task)); });
}

Turns::Place LoopThread::Stand(Task task) {
  if (next_turn_ != nullptr) next_turn_->Wake();
  return turns_.Stand(std::move(task));
}

void LoopThread::RunNextTurn() {
  if (turns_.empty()) return;
  turns_.RunNext();
  after_batch_();
  if (!turns_.empty()) next_turn_->Wake();
}

void LoopThread::Close() {
  // Destroyed without the lock: what they hold may want to post.
  std::vector<Task> dropped;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    dropped.swap(tasks_);
  }
  dropped.clear();
  next_turn_.reset();
  turns_ = Turns();
}

}  // namespace bellwire::http
