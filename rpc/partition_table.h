#ifndef BELLWIRE_RPC_PARTITION_TABLE_H_
#define BELLWIRE_RPC_PARTITION_TABLE_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/partition.pb.h"

namespace bellwire {

// A PartitionMap, to be looked up: which registry owns what. It may be out of date; the registry
// that is asked knows better.
//
// Pure.
class PartitionTable {
 public:
  // Knows nothing.
  PartitionTable() = default;
  explicit PartitionTable(const internal::v1::PartitionMap& map);

  bool known() const { return partitions_ > 0; }
  // Whether several registries may share the store.
  bool shared() const { return partitions_ > 1; }
  uint64_t version() const { return version_; }

  // REQUIRES of all that follow: shared().
  int OfDevice(absl::string_view device_id) const;
  // Of what belongs to no device.
  int home() const { return partitions_; }
  int OfFeed(uint32_t feed) const { return partitions_ + static_cast<int>(feed); }
  // Its address. Empty: nobody, as far as it knows.
  std::string OwnerOf(int partition) const;
  // All of them, each once.
  const std::vector<std::string>& owners() const { return owners_; }

  // A registry has said who owns the partition. False: what is known is as new, or the same.
  bool Learn(int partition, const std::string& owner, uint64_t version);
  // Of what was learned before, what is newer than this map stays.
  void KeepNewer(const PartitionTable& before);
  // Partitions of devices that have another owner than in `before`, of whom one is known.
  std::set<int> MovedSince(const PartitionTable& before) const;

 private:
  struct Owned {
    std::string owner;
    uint64_t version = 0;
  };

  uint64_t version_ = 0;
  int partitions_ = 0;
  std::string key_;
  absl::flat_hash_map<int, Owned> owned_;
  std::vector<std::string> owners_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_PARTITION_TABLE_H_
