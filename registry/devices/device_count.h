#ifndef BELLWIRE_REGISTRY_DEVICES_DEVICE_COUNT_H_
#define BELLWIRE_REGISTRY_DEVICES_DEVICE_COUNT_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "registry/engine/overlay.h"

namespace bellwire::registry {

// How many devices the store has: one record, written by each commit that makes a device or deletes
// one. A store that is older than the record is counted once.
//
// Not thread-safe, but for latest().
class DeviceCount {
 public:
  // Changes are staged in `staged`, which outlives it.
  explicit DeviceCount(Overlay* staged) : staged_(staged) {}

  // With what is staged. The first call reads the record, or counts all devices of the store.
  // Errors: those of KvReader.
  absl::StatusOr<uint64_t> Get();
  // So many more, or fewer. REQUIRES: Get was OK since the last commit that failed.
  void Change(int64_t by);
  // The commit of what was staged failed.
  void OnCommitFailed() { count_.reset(); }

  // For metrics: as Get knew it last. Thread-safe.
  uint64_t latest() const { return latest_.load(); }

 private:
  Overlay* const staged_;
  std::optional<uint64_t> count_;
  std::atomic<uint64_t> latest_{0};
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_DEVICE_COUNT_H_
