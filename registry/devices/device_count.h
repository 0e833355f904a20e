#ifndef BELLWIRE_REGISTRY_DEVICES_DEVICE_COUNT_H_
#define BELLWIRE_REGISTRY_DEVICES_DEVICE_COUNT_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "registry/engine/overlay.h"
#include "registry/keys/feeds.h"

namespace bellwire::registry {

// How many devices the store has: one record of each feed (registry/keys/feeds.h), written by each
// commit that makes a device or deletes one. A store that is older than the record is counted once.
// What other registries count is known as of kOthersAge ago.
//
// Not thread-safe, but for latest().
class DeviceCount {
 public:
  // Changes are staged in `staged`, which outlives it.
  // `clock` outlives it too.
  DeviceCount(Overlay* staged, const Clock* clock, Feeds feeds)
      : staged_(staged), clock_(clock), feeds_(std::move(feeds)) {}

  static constexpr absl::Duration kOthersAge = absl::Seconds(1);

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
  absl::Status ReadOthers();
  uint64_t Sum() const;

  Overlay* const staged_;
  const Clock* const clock_;
  const Feeds feeds_;
  // Of the own feed, which may be below zero; and of the others.
  std::optional<int64_t> count_;
  int64_t others_ = 0;
  MonotonicTime others_until_;
  std::atomic<uint64_t> latest_{0};
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_DEVICE_COUNT_H_
