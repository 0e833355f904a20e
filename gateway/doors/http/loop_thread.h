#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_LOOP_THREAD_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_LOOP_THREAD_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/doors/http/call_thread.h"
#include "gateway/doors/http/turns.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/post_queue.h"

namespace bellwire::http {

// The CallThread of an EpollLoop. What comes from other threads runs in batches: answers of one
// group commit come together, and what they make of one connection leaves in one piece.
// Thread-safe.
class LoopThread final : public CallThread, public std::enable_shared_from_this<LoopThread> {
 public:
  // `after_batch` runs on the loop after each batch.
  static std::shared_ptr<LoopThread> Make(net::EpollLoop* loop, std::function<void()> after_batch) {
    return std::shared_ptr<LoopThread>(new LoopThread(loop, std::move(after_batch)));
  }

  void Post(Task task) override;
  bool IsCurrent() const override { return current_ == this; }

  void PostInTurn(Task task) override;

  // The line of the thread. It is served one by one, each after a turn of the loop: what comes
  // meanwhile, and whoever has used little time, doesn't wait for the whole of it. On the thread.
  Turns::Place Stand(Task task);
  Turns* turns() { return &turns_; }

  // The calling thread is the one; it calls this before it runs the loop.
  void BecomeCurrent() { current_ = this; }
  // Drops what waits and everything to come. After the loop's end.
  void Close();

 private:
  LoopThread(net::EpollLoop* loop, std::function<void()> after_batch)
      : queue_(loop->post_queue()),
        after_batch_(std::move(after_batch)),
        next_turn_(std::make_unique<net::FdWatch>(loop, [this](uint32_t) { RunNextTurn(); })) {}
  void Run();
  void RunNextTurn();

  static thread_local const LoopThread* current_;

  const std::shared_ptr<net::PostQueue> queue_;
  const std::function<void()> after_batch_;
  Turns turns_;
  // Until Close: the loop may be gone before its thread's name is.
  std::unique_ptr<net::FdWatch> next_turn_;
  absl::Mutex mutex_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_LOOP_THREAD_H_
