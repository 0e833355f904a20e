#ifndef BELLWIRE_NET_LOOP_RUN_LOOP_UNTIL_H_
#define BELLWIRE_NET_LOOP_RUN_LOOP_UNTIL_H_

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "net/loop/epoll_loop.h"

namespace bellwire::net {

// For tests: runs the loop until `condition`, asked every millisecond, holds; false if it doesn't
// within `patience`.
inline bool RunLoopUntil(EpollLoop* loop, absl::FunctionRef<bool()> condition,
                         absl::Duration patience = absl::Seconds(30)) {
  const MonotonicTime end = loop->clock().Monotonic() + patience;
  bool holds = false;
  std::unique_ptr<Timer> poll;
  poll = loop->NewTimer([&] {
    holds = condition();
    if (holds || loop->clock().Monotonic() >= end) {
      loop->Stop();
    } else {
      poll->Arm(absl::Milliseconds(1));
    }
  });
  poll->Arm(absl::ZeroDuration());
  loop->Run();
  return holds;
}

// For tests: lets the loop run for `d`, for what must not happen.
inline void RunLoopFor(EpollLoop* loop, absl::Duration d) {
  RunLoopUntil(
      loop, [] { return false; }, d);
}

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_LOOP_RUN_LOOP_UNTIL_H_
