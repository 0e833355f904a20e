#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_TEST_CALL_THREAD_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_TEST_CALL_THREAD_H_

#include <utility>
#include <vector>

#include "gateway/doors/http/call_thread.h"

namespace bellwire::http {

// The thread of a test: everything is on it, and what was posted waits for RunPosted.
class TestCallThread final : public CallThread {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  void PostInTurn(Task task) override { Post(std::move(task)); }
  bool IsCurrent() const override { return current_; }
  // False: methods of calls behave as on another thread.
  void set_current(bool current) { current_ = current; }
  void RunPosted() {
    std::vector<Task> tasks = std::exchange(tasks_, {});
    for (Task& task : tasks) std::move(task)();
  }

 private:
  bool current_ = true;
  std::vector<Task> tasks_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_TEST_CALL_THREAD_H_
