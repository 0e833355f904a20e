#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_LEASE_WATCH_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_LEASE_WATCH_H_

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::registry {

// Decides when to try to take partitions over. The owner raises a counter; who has read it
// unchanged for `silence`, by a clock of its own that goes on through a suspend, may try. A wrong
// guess costs an owner its partitions and nothing else: what it commits or answers is fenced by the
// epoch.
//
// Pure. Not thread-safe.
class LeaseWatch {
 public:
  explicit LeaseWatch(absl::Duration silence) : silence_(silence) {}

  // A read of the database that succeeded, begun at `now` (CLOCK_BOOTTIME), has found this counter.
  void Saw(int64_t owner, int64_t counter, MonotonicTime now);
  // Nobody knows what the owners did meanwhile: they are counted anew.
  void ReadFailed() { seen_.clear(); }
  // REQUIRES: Saw(owner, …, now) was called.
  bool IsSilent(int64_t owner, MonotonicTime now) const;

 private:
  struct Seen {
    int64_t counter = 0;
    MonotonicTime since;
  };

  const absl::Duration silence_;
  absl::flat_hash_map<int64_t, Seen> seen_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_LEASE_WATCH_H_
