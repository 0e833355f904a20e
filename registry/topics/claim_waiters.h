#ifndef BELLWIRE_REGISTRY_TOPICS_CLAIM_WAITERS_H_
#define BELLWIRE_REGISTRY_TOPICS_CLAIM_WAITERS_H_

#include <cstddef>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"

namespace bellwire::registry {

// Gateways that wait for a fan-out to claim: several of each gateway of a fleet.
inline constexpr size_t kMaxClaimWaiters = 1024;

// Who waits for a fan-out to claim, the one that has waited longest first. Thread-safe.
class ClaimWaiters {
 public:
  // Called exactly once, outside the lock, on the thread that wakes it. OK: look again, if there is
  // time left.
  //   RESOURCE_EXHAUSTED OVERLOADED with RetryInfo: kMaxClaimWaiters wait already
  using Waiter = absl::AnyInvocable<void(absl::Status) &&>;

  // REQUIRES: nobody waits.
  ~ClaimWaiters() = default;

  void Park(MonotonicTime until, Waiter waiter);
  // One fan-out may be claimed: one waiter is enough for it.
  void WakeOne();
  void Expire(MonotonicTime now);
  void WakeAll();

 private:
  struct Parked {
    MonotonicTime until;
    Waiter waiter;
  };

  absl::Mutex mutex_;
  std::deque<Parked> parked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_CLAIM_WAITERS_H_
