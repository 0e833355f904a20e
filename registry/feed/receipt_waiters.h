#ifndef BELLWIRE_REGISTRY_FEED_RECEIPT_WAITERS_H_
#define BELLWIRE_REGISTRY_FEED_RECEIPT_WAITERS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"

namespace bellwire::registry {

// Who waits for the feed of which team to grow. At most kMaxReceiptWaiters, which the teams share:
// each may have as many as are free, and kMaxReceiptStreamsPerTeam. Thread-safe.
class ReceiptWaiters {
 public:
  // Called exactly once, outside the lock, on the thread that wakes it. OK: look again.
  //   RESOURCE_EXHAUSTED with RetryInfo, OVERLOADED: too many wait already; QUOTA_EXCEEDED: too
  //   many of this team do
  using Waiter = absl::AnyInvocable<void(absl::Status) &&>;

  // REQUIRES: nobody waits.
  ~ReceiptWaiters() = default;

  // Until the feed grows or it is `until`.
  void Park(const std::string& team_id, MonotonicTime until, Waiter waiter);
  void Wake(const std::string& team_id);
  void Expire(MonotonicTime now);
  void WakeAll();

 private:
  struct Parked {
    MonotonicTime until;
    Waiter waiter;
  };

  absl::Mutex mutex_;
  // In an order that does not change from run to run: simulations replay what is answered.
  std::map<std::string, std::vector<Parked>> of_team_ ABSL_GUARDED_BY(mutex_);
  size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_FEED_RECEIPT_WAITERS_H_
