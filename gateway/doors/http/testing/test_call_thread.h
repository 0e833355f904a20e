#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_TEST_CALL_THREAD_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_TEST_CALL_THREAD_H_

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/doors/http/call_thread.h"

namespace bellwire::http {

// The thread of a test: everything is on it, and what was posted waits for RunPosted. Post is
// thread-safe.
class TestCallThread final : public CallThread {
 public:
  void Post(Task task) override {
    absl::MutexLock lock(&mu_);
    if (!ended_) tasks_.push_back(std::move(task));
  }
  void PostInTurn(Task task) override { Post(std::move(task)); }
  bool IsCurrent() const override { return current_; }
  // False: methods of calls behave as on another thread.
  void set_current(bool current) { current_ = current; }
  void RunPosted() {
    std::vector<Task> tasks;
    {
      absl::MutexLock lock(&mu_);
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) std::move(task)();
  }
  // As the end of the thread: drops what waits, and everything to come.
  void End() {
    std::vector<Task> dropped;
    absl::MutexLock lock(&mu_);
    ended_ = true;
    dropped.swap(tasks_);
  }
  // Returns once something was posted, by another thread.
  void AwaitPosted() {
    const auto posted = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !tasks_.empty(); };
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&posted));
  }

 private:
  bool current_ = true;
  absl::Mutex mu_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_TEST_CALL_THREAD_H_
