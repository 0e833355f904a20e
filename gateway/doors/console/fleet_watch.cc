#include "gateway/doors/console/fleet_watch.h"

#include <optional>

#include "gateway/doors/json/json_text.h"
#include "ops/overview/flat_samples.h"

namespace bellwire::gateway {

FleetWatch::~FleetWatch() {
  std::thread thread;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

FleetWatch::Latest FleetWatch::Get() {
  absl::MutexLock lock(&mu_);
  wanted_ = true;
  if (!thread_.joinable() && !stopped_) thread_ = std::thread([this] { Run(); });
  return latest_;
}

metrics::Watch FleetWatch::MakeWatch() const {
  if (options_.own == nullptr) return metrics::Watch(options_.addresses, options_.clock);
  return metrics::Watch(options_.addresses, options_.clock,
                        [own = options_.own] { return metrics::Flatten(own->Get()); });
}

void FleetWatch::Run() {
  std::optional<metrics::Watch> watch;
  const auto is_due = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return wanted_ || stopped_; };
  absl::MutexLock lock(&mu_);
  while (true) {
    if (!wanted_) {
      // Rates over the time in which nobody looked would be no news.
      watch.reset();
      mu_.Await(absl::Condition(&is_due));
    }
    if (stopped_) return;
    wanted_ = false;
    mu_.Unlock();
    if (!watch.has_value()) watch.emplace(MakeWatch());
    std::string json = DumpJson(metrics::ToJson(watch->Next()));
    mu_.Lock();
    ++latest_.number;
    latest_.json = std::move(json);
    mu_.AwaitWithTimeout(absl::Condition(&stopped_), options_.interval);
  }
}

}  // namespace bellwire::gateway
