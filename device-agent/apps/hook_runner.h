#ifndef BELLWIRE_DEVICE_AGENT_APPS_HOOK_RUNNER_H_
#define BELLWIRE_DEVICE_AGENT_APPS_HOOK_RUNNER_H_

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "device-agent/apps/app_owner.h"
#include "net/loop/epoll_loop.h"

namespace bellwire::agent {

// A hook that takes longer than this has hung: it and its children are killed. Starting an app
// through systemd or D-Bus takes less than a second.
inline constexpr absl::Duration kHookTimeout = absl::Seconds(30);

// Runs the integrator's program that starts an app (`bellwire-agent --start_app_hook`):
//
//   PROGRAM APP_ID        with BELLWIRE_APP_UID, whom the app runs as, and BELLWIRE_APP_SANDBOX,
//                         the sandbox that it runs in or nothing, in its environment
//
// as the agent's own user, without a shell, in a process group of its own, stdin from /dev/null,
// the rest as the agent's. Nobody waits for it: its end is an event of the loop. On the loop's
// thread; the loop must outlive it.
class HookRunner {
 public:
  // The hook for the app with this key is over, whatever became of it. Not from inside Run().
  using OnEnded = absl::AnyInvocable<void(const std::string& key)>;

  HookRunner(net::EpollLoop* loop, std::string program, OnEnded on_ended,
             absl::Duration timeout = kHookTimeout);
  // Kills those that still run.
  ~HookRunner();
  HookRunner(const HookRunner&) = delete;
  HookRunner& operator=(const HookRunner&) = delete;

  // For the app with this key (app_key.h). False: it can't be run, which is in the log.
  bool Run(const std::string& key, const AppOwner& owner);

 private:
  struct Child;
  void OnReady(Child* child);

  net::EpollLoop* const loop_;
  const std::string program_;
  OnEnded on_ended_;
  const absl::Duration timeout_;
  // As many as its caller starts at a time (kMaxAppStarts).
  absl::flat_hash_map<Child*, std::unique_ptr<Child>> children_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_HOOK_RUNNER_H_
