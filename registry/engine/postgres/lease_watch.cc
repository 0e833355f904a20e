#include "registry/engine/postgres/lease_watch.h"

namespace bellwire::registry {

void LeaseWatch::Saw(int64_t owner, int64_t counter, MonotonicTime now) {
  const auto [it, is_new] = seen_.try_emplace(owner, Seen{counter, now});
  if (!is_new && it->second.counter != counter) it->second = {counter, now};
}

bool LeaseWatch::IsSilent(int64_t owner, MonotonicTime now) const {
  const auto it = seen_.find(owner);
  return it != seen_.end() && now - it->second.since >= silence_;
}

}  // namespace bellwire::registry
