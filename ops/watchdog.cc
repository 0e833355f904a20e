#include "ops/watchdog.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/log.h"
#include "ops/service_manager.h"

namespace bellwire {

Watchdog::Options Watchdog::DefaultOptions() {
  Options options;
  if (const std::optional<absl::Duration> interval = WatchdogInterval()) {
    options.interval = *interval / 3;
    options.patience = std::min(options.patience, *interval / 6);
  }
  // Nothing to give up for if it can't be told.
  options.tell = [] { (void)NotifyServiceManager("WATCHDOG=1"); };
  return options;
}

Watchdog::Watchdog(std::vector<Listener> listeners, Options options)
    : listeners_(std::move(listeners)),
      silent_(listeners_.size()),
      options_(std::move(options)),
      thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void Watchdog::Run() {
  for (;;) {
    if (AllRespond()) options_.tell();
    absl::MutexLock lock(&mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), options_.interval)) return;
  }
}

bool Watchdog::AllRespond() {
  bool all = true;
  for (size_t i = 0; i < listeners_.size(); ++i) {
    const bool responds = listeners_[i].responds(options_.patience);
    all &= responds;
    if (responds == !silent_[i]) continue;
    silent_[i] = !responds;
    if (responds) {
      LogInfo("listener_responds_again", {{"listener", listeners_[i].name}});
    } else {
      LogError("listener_does_not_respond", {{"listener", listeners_[i].name}});
    }
  }
  return all;
}

}  // namespace bellwire
