#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_PARTITIONS_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_PARTITIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

// Most partitions that a store has.
inline constexpr int kMaxPartitions = 4096;
// How many a new one gets.
inline constexpr int kDefaultPartitions = 256;
// Of the key of the hash, in bytes.
inline constexpr size_t kPartitionKeyBytes = 16;

// Which partition a record belongs to: that of its device (rpc/partition_hash.h). What belongs to
// no device is in one partition more, `shared()`. After it there is one for each feed but feed 0
// (registry/keys/keys.h): a registry that shares the store has one of them to itself, for its feed,
// its commit log, and what it hears of networks.
//
// Pure. Not thread-safe: it remembers the last device.
class Partitions {
 public:
  // `own_feed`: of the registry that asks. REQUIRES: 1 <= count <= kMaxPartitions, own_feed <=
  // kMaxFeed.
  Partitions(int count, std::string key, uint32_t own_feed = 0)
      : count_(count), key_(std::move(key)), own_feed_(own_feed) {}

  // Of devices.
  int count() const { return count_; }
  int shared() const { return OfFeed(0); }
  int OfFeed(uint32_t feed) const { return count_ + static_cast<int>(feed); }
  int own() const { return OfFeed(own_feed_); }
  // All of them are below this.
  int end() const { return OfFeed(kMaxFeed) + 1; }
  int OfDevice(absl::string_view device) const;
  // Of the record under this key, in [0, end()).
  int Of(Family family, absl::string_view key) const;
  // The one in which all keys of [from, to) lie. nullopt: they may lie in several.
  std::optional<int> OfRange(Family family, absl::string_view from, absl::string_view to) const;

 private:
  // Of a record that is not a device's.
  int OfTeam(Family family, absl::string_view key) const;

  const int count_;
  const std::string key_;
  const uint32_t own_feed_;
  mutable std::string last_device_;
  mutable int last_partition_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_PARTITIONS_H_
