#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_CALL_THREAD_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_CALL_THREAD_H_

#include "absl/functional/any_invocable.h"

namespace bellwire::http {

// The one thread on which a connection and its exchanges live. Thread-safe; may outlive the thread.
class CallThread {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  virtual ~CallThread() = default;
  // Runs `task` on the thread, after what was posted before. Dropped if the thread has ended. Never
  // full: whoever posts bounds what it posts, as a call posts the one answer that it owes.
  virtual void Post(Task task) = 0;
  // As Post, but `task` waits until connections and calls that have more to do than there is time
  // for have had a turn (turns.h): for the next piece of something long.
  virtual void PostInTurn(Task task) = 0;
  // Whether the caller is on it.
  virtual bool IsCurrent() const = 0;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_CALL_THREAD_H_
