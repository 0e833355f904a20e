#include "gateway/doors/grpc/drain_signal.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::gateway {

absl::Status ShuttingDown(absl::string_view what_to_do) {
  return MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                   absl::StrCat("This gateway is shutting down. ", what_to_do));
}

bool DrainSignal::Add(const std::shared_ptr<Listener>& listener) {
  absl::MutexLock lock(&mu_);
  if (begun_) return false;
  listeners_.emplace(listener.get(), listener);
  return true;
}

void DrainSignal::Remove(Listener* listener) {
  absl::MutexLock lock(&mu_);
  listeners_.erase(listener);
}

void DrainSignal::Recheck() {
  std::vector<std::weak_ptr<Listener>> listeners;
  {
    absl::MutexLock lock(&mu_);
    listeners.reserve(listeners_.size());
    for (const auto& [pointer, weak] : listeners_) listeners.push_back(weak);
  }
  // Outside the lock: a listener may end, and remove itself.
  for (const std::weak_ptr<Listener>& weak : listeners) {
    if (const std::shared_ptr<Listener> listener = weak.lock()) listener->OnRecheck();
  }
}

void DrainSignal::Begin() {
  Listeners listeners;
  {
    absl::MutexLock lock(&mu_);
    begun_ = true;
    listeners.swap(listeners_);
  }
  // Outside the lock, since a listener may well end, and remove itself, within its OnDrain.
  for (const auto& [pointer, weak] : listeners) {
    if (const std::shared_ptr<Listener> listener = weak.lock()) listener->OnDrain();
  }
}

}  // namespace bellwire::gateway
