#ifndef BELLWIRE_REGISTRY_SHARING_PARTITION_MAPS_H_
#define BELLWIRE_REGISTRY_SHARING_PARTITION_MAPS_H_

#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/partition.pb.h"
#include "common/clock.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// Processes that wait for a newer map: every gateway and connector of a fleet.
inline constexpr size_t kMaxMapWaiters = 4096;

// The latest map of the partitions, and who waits for a newer one. A registry that shares its store
// with nobody has the map of one partition, from the beginning on.
//
// Thread-safe. `done` is called on the thread that has the answer, outside the lock.
class PartitionMaps {
 public:
  explicit PartitionMaps(const Clock* clock);
  // Answers who still waits.
  ~PartitionMaps();

  void Set(internal::v1::PartitionMap map);
  // As PartitionApi::GetMap. Beyond kMaxMapWaiters nobody waits.
  void Get(const internal::v1::GetPartitionMapRequest& request,
           Done<internal::v1::PartitionMap> done);
  // Answers those who have waited long enough. To be called about every kSweepInterval.
  void Expire();

 private:
  struct Waiter {
    MonotonicTime until;
    Done<internal::v1::PartitionMap> done;
  };
  // Takes out those who have waited up to `now`.
  std::vector<Waiter> Take(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(std::vector<Waiter> waiters) ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock* const clock_;
  absl::Mutex mutex_;
  internal::v1::PartitionMap map_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SHARING_PARTITION_MAPS_H_
