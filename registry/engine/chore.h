#ifndef BELLWIRE_REGISTRY_ENGINE_CHORE_H_
#define BELLWIRE_REGISTRY_ENGINE_CHORE_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "registry/engine/overlay.h"

namespace bellwire::registry {

// How long the writer rests between two steps of a chore. With kChoreStepTime this is a tenth of
// its time at most, whatever the store holds.
inline constexpr absl::Duration kChorePause = absl::Milliseconds(5);
// A step takes no longer than this, but for its last unit: others' messages wait for it.
inline constexpr absl::Duration kChoreStepTime = absl::Microseconds(500);
// Units of a step: where time stands still, as in a simulation.
inline constexpr size_t kMaxChoreStepUnits = 512;

// What one step of a chore may cost.
class ChoreBudget {
 public:
  // `clock` outlives it. Begins now.
  explicit ChoreBudget(const Clock* clock) : clock_(*clock), began_(clock->Monotonic()) {}

  // Counts `units`, such as records read.
  void Spend(size_t units) { units_ += units; }
  bool IsSpent() const {
    return units_ >= kMaxChoreStepUnits || clock_.Monotonic() - began_ >= kChoreStepTime;
  }

 private:
  const Clock& clock_;
  const MonotonicTime began_;
  size_t units_ = 0;
};

// What goes on in the background and may take hours, in steps that are small against a batch. How
// far it is lies in the store, staged by the step that got there: so it survives a crash. For the
// thread that owns the store.
class Chore {
 public:
  virtual ~Chore() = default;
  // Stages a step. Whether more is left. After an error it is tried again with the next sweep.
  virtual absl::StatusOr<bool> Step(Overlay* staged, ChoreBudget* budget) = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_CHORE_H_
