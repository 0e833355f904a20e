#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace bellwire::gateway {

// UNAVAILABLE SHUTTING_DOWN; `what_to_do` is a sentence for the client.
absl::Status ShuttingDown(absl::string_view what_to_do);

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
  bool Add(const std::shared_ptr<Listener>& listener);
  // Listeners that were never added, or are gone already, are fine.
  void Remove(Listener* listener);

  void Begin();

 private:
  using Listeners = absl::flat_hash_map<Listener*, std::weak_ptr<Listener>>;

  absl::Mutex mu_;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  Listeners listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
