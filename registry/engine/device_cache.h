#ifndef BELLWIRE_REGISTRY_ENGINE_DEVICE_CACHE_H_
#define BELLWIRE_REGISTRY_ENGINE_DEVICE_CACHE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ops/metrics/counter.h"
#include "registry/engine/device_reader.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// An engine in front of one whose reads are round trips. The first read of a device's records, or
// of the lives of its messages, fetches both; from then on each read of these is answered from
// memory, that there is no such key included. Who knows what comes fetches many devices at once
// (Prefetch). It holds what the engine below has
// committed and nothing else: a commit that fails empties it. REQUIRES: nobody else writes to the
// devices that it may hold (SetOwns).
//
// Not thread-safe.
class DeviceCache final : public KvEngine {
 public:
  // A device with more bytes of a family is not held: its reads go to the engine below.
  static constexpr size_t kMaxDeviceBytes = 128 * 1024;

  // Of a device that is fetched together with others: one with more is fetched when it is read.
  static constexpr size_t kMaxPrefetchBytes = 32 * 1024;

  // `reader` is the engine below, or null where that is none. `max_bytes` of memory, in two
  // generations: when the younger one is half of that, the older one is forgotten. What is used in
  // time moves to the younger one.
  DeviceCache(std::unique_ptr<KvEngine> engine, const DeviceReader* reader, size_t max_bytes)
      : engine_(std::move(engine)), reader_(reader), max_bytes_(max_bytes) {}

  // Fetches what is not here of these devices in one round trip, so that the reads that follow are
  // none. What fails, or is too much, is left to these reads. `devices` are ids; one may come
  // twice.
  void Prefetch(absl::Span<const std::string> devices) const;

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;
  absl::Status Commit(const WriteSet& writes) override;

  // The memory that its devices take, what it takes to hold them included. Thread-safe.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // How often a device's records were looked for here, and were here. Thread-safe.
  struct Counts {
    metrics::Counter hits;
    metrics::Counter misses;
  };
  const Counts& counts() const { return counts_; }

  // From now on devices are held only while `owns` says so: others write to the rest. Empty: all.
  void SetOwns(std::function<bool(absl::string_view device)> owns) { owns_ = std::move(owns); }
  // Holds nothing any more: somebody else has written to the store.
  void Forget() { Clear(); }

 private:
  // Of one device and family.
  struct Group {
    // All of them; nothing where they are too many.
    absl::btree_map<std::string, std::string> records;
    // Of keys and values, and of what it takes to hold a group.
    size_t bytes = 0;
    bool held = true;
  };
  using Groups = absl::flat_hash_map<std::pair<Family, std::string>, std::shared_ptr<Group>>;

  // Null: keys of this kind are not held. The caller's: a visitor may read what makes it go.
  absl::StatusOr<std::shared_ptr<const Group>> GroupOf(Family family, absl::string_view key) const;
  absl::StatusOr<std::shared_ptr<Group>> Fetch(Family family, absl::string_view device) const;
  // Inserts what was read of a device, if that is all and it is not here.
  void Take(Family family, const std::string& device, DeviceRecords records) const;
  // Where it is, null where it isn't; a use makes it young.
  std::shared_ptr<Group> Find(Family family, absl::string_view device) const;
  void Insert(Family family, absl::string_view device, std::shared_ptr<Group> group) const;
  void Clear() const;
  void NoteBytes() const { bytes_.store(young_bytes_ + old_bytes_, std::memory_order_relaxed); }

  bool Owns(absl::string_view device) const { return !owns_ || owns_(device); }

  const std::unique_ptr<KvEngine> engine_;
  const DeviceReader* const reader_;
  const size_t max_bytes_;
  std::function<bool(absl::string_view device)> owns_;
  mutable Groups young_;
  mutable Groups old_;
  mutable size_t young_bytes_ = 0;
  mutable size_t old_bytes_ = 0;
  // Of both, for other threads.
  mutable std::atomic<size_t> bytes_ = 0;
  mutable Counts counts_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_DEVICE_CACHE_H_
