#include "registry/sharing/partition_maps.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"

namespace bellwire::registry {

using internal::v1::PartitionMap;

PartitionMaps::PartitionMaps(const Clock* clock) : clock_(clock) {
  map_.set_version(1);
  map_.set_partitions(1);
}

PartitionMaps::~PartitionMaps() {
  std::vector<Waiter> waiters;
  {
    absl::MutexLock lock(&mutex_);
    waiters.swap(waiters_);
  }
  Answer(std::move(waiters));
}

void PartitionMaps::Set(PartitionMap map) {
  std::vector<Waiter> waiters;
  {
    absl::MutexLock lock(&mutex_);
    if (map.version() <= map_.version() && map.partitions() == map_.partitions()) return;
    map_ = std::move(map);
    waiters.swap(waiters_);
  }
  Answer(std::move(waiters));
}

void PartitionMaps::Get(const internal::v1::GetPartitionMapRequest& request,
                        Done<PartitionMap> done) {
  PartitionMap map;
  {
    absl::MutexLock lock(&mutex_);
    if (request.known_version() == map_.version() && request.wait_ms() > 0 &&
        waiters_.size() < kMaxMapWaiters) {
      const absl::Duration wait = std::min(absl::Milliseconds(request.wait_ms()), kMaxMapWait);
      waiters_.push_back({clock_->Monotonic() + wait, std::move(done)});
      return;
    }
    map = map_;
  }
  std::move(done)(std::move(map));
}

void PartitionMaps::Expire() {
  std::vector<Waiter> waiters;
  {
    absl::MutexLock lock(&mutex_);
    waiters = Take(clock_->Monotonic());
  }
  Answer(std::move(waiters));
}

std::vector<PartitionMaps::Waiter> PartitionMaps::Take(MonotonicTime now) {
  const auto rest = std::partition(waiters_.begin(), waiters_.end(),
                                   [now](const Waiter& waiter) { return waiter.until > now; });
  std::vector<Waiter> taken(std::make_move_iterator(rest), std::make_move_iterator(waiters_.end()));
  waiters_.erase(rest, waiters_.end());
  return taken;
}

void PartitionMaps::Answer(std::vector<Waiter> waiters) {
  if (waiters.empty()) return;
  PartitionMap map;
  {
    absl::MutexLock lock(&mutex_);
    map = map_;
  }
  for (Waiter& waiter : waiters) std::move(waiter.done)(map);
}

}  // namespace bellwire::registry
