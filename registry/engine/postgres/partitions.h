#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_PARTITIONS_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_PARTITIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// Most partitions that a store has.
inline constexpr int kMaxPartitions = 4096;
// How many a new one gets.
inline constexpr int kDefaultPartitions = 256;
// Of the key of the hash, in bytes.
inline constexpr size_t kPartitionKeyBytes = 16;

// Which partition a record belongs to: that of its device, by a hash whose key is the store's
// secret, since device ids are chosen by who makes devices. What belongs to no device is in one
// partition more, `shared()`.
//
// Pure. Not thread-safe: it remembers the last device.
class Partitions {
 public:
  // REQUIRES: 1 <= count <= kMaxPartitions.
  Partitions(int count, std::string key) : count_(count), key_(std::move(key)) {}

  // Of devices.
  int count() const { return count_; }
  int shared() const { return count_; }
  // Of the record under this key, in [0, count()].
  int Of(Family family, absl::string_view key) const;
  // The one in which all keys of [from, to) lie. nullopt: they may lie in several.
  std::optional<int> OfRange(Family family, absl::string_view from, absl::string_view to) const;

 private:
  int OfDevice(absl::string_view device) const;

  const int count_;
  const std::string key_;
  mutable std::string last_device_;
  mutable int last_partition_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_PARTITIONS_H_
