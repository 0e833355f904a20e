#ifndef BELLWIRE_NET_LOOP_POST_QUEUE_H_
#define BELLWIRE_NET_LOOP_POST_QUEUE_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace bellwire::net {

// Work on its way to one loop's thread, and the descriptor that wakes that thread. Shared with
// threads that may outlive the loop: after Close they only learn that nobody listens any more.
class PostQueue {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  // Aborts if the kernel has no descriptor left.
  PostQueue();
  ~PostQueue();
  PostQueue(const PostQueue&) = delete;
  PostQueue& operator=(const PostQueue&) = delete;

  // False, and `task` is dropped, if kMaxPostedTasks are waiting or the queue is closed.
  // Thread-safe.
  bool Post(Task task);
  // Makes the next wait on fd() end at once, whether or not there is work. Thread-safe.
  void Wake();

  // The rest is the loop's. Everything posted so far, in order.
  std::vector<Task> Take();
  // False if there is work or a Wake already. True: from now on, until Take, Post and Wake signal
  // fd().
  bool PrepareToWait();
  // Readable (poll) when signalled.
  int fd() const { return fd_; }
  // Drops what waits, and everything to come.
  void Close();

 private:
  void SignalIfWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int fd_;
  absl::Mutex mutex_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool signalled_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_LOOP_POST_QUEUE_H_
