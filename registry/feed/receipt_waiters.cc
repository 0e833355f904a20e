#include "registry/feed/receipt_waiters.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"

namespace bellwire::registry {
namespace {

absl::Status CrowdedError() {
  return WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                absl::StrCat(kMaxReceiptWaiters, " places to wait for receipts are shared out")),
      kOverloadedRetryAfter);
}

absl::Status QuotaError() {
  return WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED",
                absl::StrCat("the team waits for receipts ", kMaxReceiptStreamsPerTeam,
                             " times already: end some of its streams of receipts")),
      kQuotaRetryAfter);
}

}  // namespace

void ReceiptWaiters::Park(const std::string& team_id, MonotonicTime until, Waiter waiter) {
  bool crowded = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = of_team_.find(team_id);
    const size_t held = it == of_team_.end() ? 0 : it->second.size();
    // What is free is left to all alike: a newcomer finds room.
    crowded = held >= kMaxReceiptWaiters - size_;
    if (!crowded && held < kMaxReceiptStreamsPerTeam) {
      ++size_;
      of_team_[team_id].push_back({until, std::move(waiter)});
      return;
    }
  }
  std::move(waiter)(crowded ? CrowdedError() : QuotaError());
}

void ReceiptWaiters::Wake(const std::string& team_id) {
  std::vector<Parked> woken;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = of_team_.find(team_id);
    if (it == of_team_.end()) return;
    woken = std::move(it->second);
    of_team_.erase(it);
    size_ -= woken.size();
  }
  for (Parked& parked : woken) std::move(parked.waiter)(absl::OkStatus());
}

void ReceiptWaiters::Expire(MonotonicTime now) {
  std::vector<Waiter> expired;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [team_id, waiters] : of_team_) {
      std::vector<Parked> rest;
      for (Parked& parked : waiters) {
        if (parked.until <= now) {
          expired.push_back(std::move(parked.waiter));
        } else {
          rest.push_back(std::move(parked));
        }
      }
      waiters = std::move(rest);
    }
    std::erase_if(of_team_, [](const auto& team) { return team.second.empty(); });
    size_ -= expired.size();
  }
  for (Waiter& waiter : expired) std::move(waiter)(absl::OkStatus());
}

void ReceiptWaiters::WakeAll() {
  std::map<std::string, std::vector<Parked>> all;
  {
    absl::MutexLock lock(&mutex_);
    all.swap(of_team_);
    size_ = 0;
  }
  for (auto& [team_id, waiters] : all) {
    for (Parked& parked : waiters) std::move(parked.waiter)(absl::OkStatus());
  }
}

}  // namespace bellwire::registry
