#ifndef BELLWIRE_OPS_WATCHDOG_H_
#define BELLWIRE_OPS_WATCHDOG_H_

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace bellwire {

// Looks again and again whether every listener of a daemon still responds, and tells the service
// manager so (`WATCHDOG=1`) only while all of them do: systemd then restarts a daemon that has gone
// deaf (`WatchdogSec=` of its unit). One that doesn't respond is named in the log, with or without
// a service manager.
class Watchdog {
 public:
  struct Listener {
    // For the log: "provider_port".
    std::string name;
    // Whether it responds within `patience`. Called on the watchdog's thread.
    absl::AnyInvocable<bool(absl::Duration patience)> responds;
  };
  struct Options {
    // Between two looks, and what a listener may take to respond in one.
    absl::Duration interval = absl::Seconds(10);
    absl::Duration patience = absl::Seconds(5);
    // Called after each look at which all responded.
    absl::AnyInvocable<void()> tell;
  };

  // As the service manager wants it: three looks in the time that it waits for a word, one every
  // 10 s if it doesn't wait.
  static Options DefaultOptions();

  // Starts the thread. What `listeners` call must outlive this.
  explicit Watchdog(std::vector<Listener> listeners, Options options = DefaultOptions());
  // Ends it. A look that is under way may take its patience.
  ~Watchdog() ABSL_LOCKS_EXCLUDED(mu_);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  bool AllRespond();

  std::vector<Listener> listeners_;
  // Of each listener: its silence was logged.
  std::vector<bool> silent_;
  Options options_;
  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace bellwire

#endif  // BELLWIRE_OPS_WATCHDOG_H_
