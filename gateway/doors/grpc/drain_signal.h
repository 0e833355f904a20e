#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace bellwire::gateway {

// How often streams look at their credentials: with kKeyFreshness it is how long one outlives the
// revocation of its key.
inline constexpr absl::Duration kRecheckInterval = absl::Milliseconds(500);

// UNAVAILABLE SHUTTING_DOWN; `what_to_do` is a sentence for the client.
absl::Status ShuttingDown(absl::string_view what_to_do);

// Tells long-lived calls that the server wants to go, and when to look at their credentials: unlike
// a unary call they would never end by themselves. Thread-safe.
class DrainSignal {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // At most once, on the thread that began the drain; possibly after Remove, if both happen at
    // the same time.
    virtual void OnDrain() = 0;
    // About every kRecheckInterval, on a thread of the gateway's: the call's credential may be
    // worthless meanwhile, and nothing else may happen to it. Must not block.
    virtual void OnRecheck() {}
  };

  // False, and nothing else, if the drain has begun.
  bool Add(const std::shared_ptr<Listener>& listener);
  // Listeners that were never added, or are gone already, are fine.
  void Remove(Listener* listener);

  void Begin();
  // Calls OnRecheck of all.
  void Recheck();

 private:
  using Listeners = absl::flat_hash_map<Listener*, std::weak_ptr<Listener>>;

  absl::Mutex mu_;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  Listeners listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
