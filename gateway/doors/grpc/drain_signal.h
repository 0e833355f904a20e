#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace bellwire::gateway {

// Tells long-lived calls that the server wants to go: unlike a unary call they would never end by
// themselves. Thread-safe.
class DrainSignal {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // At most once, on the thread that began the drain; possibly after Remove, if both happen at
    // the same time.
    virtual void OnDrain() = 0;
  };

  // False, and nothing else, if the drain has begun.
  bool Add(const std::shared_ptr<Listener>& listener) {
    absl::MutexLock lock(&mu_);
    if (begun_) return false;
    listeners_.emplace(listener.get(), listener);
    return true;
  }

  // Listeners that were never added, or are gone already, are fine.
  void Remove(Listener* listener) {
    absl::MutexLock lock(&mu_);
    listeners_.erase(listener);
  }

  void Begin() {
    absl::flat_hash_map<Listener*, std::weak_ptr<Listener>> listeners;
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

 private:
  absl::Mutex mu_;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<Listener*, std::weak_ptr<Listener>> listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
