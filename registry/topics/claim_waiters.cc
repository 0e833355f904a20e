#include "registry/topics/claim_waiters.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"

namespace bellwire::registry {

void ClaimWaiters::Park(MonotonicTime until, Waiter waiter) {
  {
    absl::MutexLock lock(&mutex_);
    if (parked_.size() < kMaxClaimWaiters) {
      parked_.push_back({until, std::move(waiter)});
      return;
    }
  }
  std::move(waiter)(WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                absl::StrCat(kMaxClaimWaiters, " calls wait for a fan-out to claim already")),
      kOverloadedRetryAfter));
}

void ClaimWaiters::WakeOne() {
  Waiter waiter;
  {
    absl::MutexLock lock(&mutex_);
    if (parked_.empty()) return;
    waiter = std::move(parked_.front().waiter);
    parked_.pop_front();
  }
  std::move(waiter)(absl::OkStatus());
}

void ClaimWaiters::Expire(MonotonicTime now) {
  std::deque<Parked> expired;
  {
    absl::MutexLock lock(&mutex_);
    std::deque<Parked> rest;
    for (Parked& parked : parked_) {
      (parked.until <= now ? expired : rest).push_back(std::move(parked));
    }
    parked_ = std::move(rest);
  }
  for (Parked& parked : expired) std::move(parked.waiter)(absl::OkStatus());
}

void ClaimWaiters::WakeAll() {
  std::deque<Parked> all;
  {
    absl::MutexLock lock(&mutex_);
    all.swap(parked_);
  }
  for (Parked& parked : all) std::move(parked.waiter)(absl::OkStatus());
}

}  // namespace bellwire::registry
