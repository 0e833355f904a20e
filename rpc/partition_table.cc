#include "rpc/partition_table.h"

#include <algorithm>

#include "rpc/partition_hash.h"

namespace bellwire {
namespace {

// As many as a store may have (registry/engine/postgres/partitions.h), and far more.
constexpr uint32_t kMaxPartitions = 1 << 20;

}  // namespace

PartitionTable::PartitionTable(const internal::v1::PartitionMap& map)
    : version_(map.version()),
      partitions_(static_cast<int>(std::clamp<uint32_t>(map.partitions(), 1, kMaxPartitions))),
      key_(map.key()) {
  for (const internal::v1::PartitionMap::Owner& owner : map.owners()) {
    // One that has not said yet where it is.
    if (owner.address().empty()) continue;
    owners_.push_back(owner.address());
    for (const uint32_t partition : owner.partitions()) {
      owned_[static_cast<int>(partition)] = {owner.address(), version_};
    }
  }
}

int PartitionTable::OfDevice(absl::string_view device_id) const {
  return PartitionOfDevice(device_id, key_, partitions_);
}

std::string PartitionTable::OwnerOf(int partition) const {
  const auto it = owned_.find(partition);
  return it == owned_.end() ? std::string() : it->second.owner;
}

bool PartitionTable::Learn(int partition, const std::string& owner, uint64_t version) {
  Owned& owned = owned_[partition];
  if (version <= owned.version && !owned.owner.empty()) return false;
  const bool moved = owned.owner != owner;
  owned = {owner, version};
  if (std::find(owners_.begin(), owners_.end(), owner) == owners_.end()) owners_.push_back(owner);
  return moved;
}

void PartitionTable::KeepNewer(const PartitionTable& before) {
  if (before.partitions_ != partitions_ || before.key_ != key_) return;
  for (const auto& [partition, owned] : before.owned_) {
    if (owned.version > version_) (void)Learn(partition, owned.owner, owned.version);
  }
}

std::set<int> PartitionTable::MovedSince(const PartitionTable& before) const {
  std::set<int> moved;
  for (const auto& [partition, owned] : owned_) {
    if (partition >= partitions_ || owned.owner.empty()) continue;
    if (before.OwnerOf(partition) != owned.owner) moved.insert(partition);
  }
  return moved;
}

}  // namespace bellwire
