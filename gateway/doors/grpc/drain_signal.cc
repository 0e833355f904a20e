#include "gateway/doors/grpc/drain_signal.h"

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

// The callbacks run outside the lock, since a listener may well end, and remove itself, within one.
void DrainSignal::Begin() {
  Listeners listeners;
  {
    absl::MutexLock lock(&mu_);
    begun_ = true;
    listeners = listeners_;
  }
  for (const auto& [pointer, weak] : listeners) {
    if (const std::shared_ptr<Listener> listener = weak.lock()) listener->OnDrain();
  }
}

bool DrainSignal::AwaitNone(absl::Duration time) {
  absl::MutexLock lock(&mu_);
  const auto none = [this] {
    mu_.AssertHeld();
    return listeners_.empty();
  };
  return mu_.AwaitWithTimeout(absl::Condition(&none), time);
}

void DrainSignal::End() {
  Listeners listeners;
  {
    absl::MutexLock lock(&mu_);
    listeners = listeners_;
  }
  for (const auto& [pointer, weak] : listeners) {
    if (const std::shared_ptr<Listener> listener = weak.lock()) listener->OnDrainOver();
  }
}

std::shared_ptr<void> DrainSignal::Hold() {
  absl::MutexLock lock(&mu_);
  ++holds_;
  return std::shared_ptr<void>(this, [](DrainSignal* signal) {
    absl::MutexLock unlock(&signal->mu_);
    --signal->holds_;
  });
}

void DrainSignal::AwaitNoHold() {
  absl::MutexLock lock(&mu_);
  const auto none = [this] {
    mu_.AssertHeld();
    return holds_ == 0;
  };
  mu_.Await(absl::Condition(&none));
}

}  // namespace bellwire::gateway
