#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_

#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace bellwire::gateway {

// UNAVAILABLE SHUTTING_DOWN; `what_to_do` is a sentence for the client.
absl::Status ShuttingDown(absl::string_view what_to_do);

// The calls of a server that run, and how they hear that it wants to go. Thread-safe.
//
// A drain begins (Begin), and no call is added any more. Calls that would never end by themselves
// end now; the others go on. When the time is up (End) each call that is left ends at once, with an
// answer, though somebody may still owe it a callback: it keeps a Hold until it is destroyed.
class DrainSignal {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // Each at most once, on the thread that drains; possibly after Remove, if both happen at the
    // same time.
    virtual void OnDrain() = 0;
    virtual void OnDrainOver() = 0;
  };

  // False, and nothing else, if the drain has begun.
  bool Add(const std::shared_ptr<Listener>& listener) ABSL_LOCKS_EXCLUDED(mu_);
  // Listeners that were never added, or are gone already, are fine.
  void Remove(Listener* listener) ABSL_LOCKS_EXCLUDED(mu_);

  void Begin() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until no listener is left, for `time` at most; answers whether none is.
  bool AwaitNone(absl::Duration time) ABSL_LOCKS_EXCLUDED(mu_);
  void End() ABSL_LOCKS_EXCLUDED(mu_);

  // What a call uses lives as long as its hold: who destroys it waits until there is none.
  std::shared_ptr<void> Hold() ABSL_LOCKS_EXCLUDED(mu_);
  void AwaitNoHold() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Listeners = absl::flat_hash_map<Listener*, std::weak_ptr<Listener>>;

  absl::Mutex mu_;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  Listeners listeners_ ABSL_GUARDED_BY(mu_);
  size_t holds_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_DRAIN_SIGNAL_H_
