#include "registry/sharing/partition_sharing.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace bellwire::registry {

void PartitionSharing::Join(std::string address) {
  absl::MutexLock lock(&mutex_);
  joins_at_ = std::move(address);
}

absl::Status PartitionSharing::Begin(const std::string& address) {
  BELLWIRE_RETURN_IF_ERROR(options_.engine->SetAddress(address));
  options_.watch->SetOwned(options_.engine->owned());
  options_.watch->Begin(options_.engine->owner(), address, options_.engine->partitions().count(),
                        options_.engine->hash_key(), options_.engine->feed());
  return absl::OkStatus();
}

void PartitionSharing::Work() {
  if (!joined_) {
    std::optional<std::string> address;
    {
      absl::MutexLock lock(&mutex_);
      address = joins_at_;
    }
    // The database may be away: again with the next batch.
    if (!address.has_value() || !Begin(*address).ok()) return;
    joined_ = true;
  }
  const std::optional<FleetPlan> plan = options_.watch->TakePlan();
  if (!plan.has_value()) return;
  absl::Status status;
  for (const FleetPlan::Gift& gift : plan->give) {
    // What the plan has seen may be gone since.
    const bool has_all = std::all_of(gift.partitions.begin(), gift.partitions.end(),
                                     [this](int16_t p) { return options_.engine->Owns(p); });
    if (!status.ok() || !has_all) continue;
    status = options_.store->PrepareToGive();
    if (status.ok()) status = options_.engine->Give(gift.partitions, gift.to, gift.address);
    if (!status.ok()) continue;
    options_.watch->NoteGiven(gift.partitions, gift.to, gift.address);
    LogInfo("partitions_given", {{"to", gift.address}, {"partitions", gift.partitions.size()}});
  }
  for (const std::vector<Lease>& group : plan->take) {
    if (!status.ok()) break;
    status = options_.engine->TakeOver(group).status();
  }
  if (!status.ok()) LogWarning("partitions_not_moved", {{"error", status.message()}});
  NoteOwned();
}

void PartitionSharing::NoteOwned() {
  const std::set<int16_t>& owned = options_.engine->owned();
  if (owned != owned_) {
    const bool gained = !std::includes(owned_.begin(), owned_.end(), owned.begin(), owned.end());
    if (gained && options_.on_gained) {
      if (const absl::Status usable = options_.on_gained(); !usable.ok()) {
        LogError("partitions_not_usable", {{"error", usable.message()}});
        options_.end_process();
      }
    }
    const bool again = std::any_of(owned.begin(), owned.end(), [this](int16_t partition) {
      return owned_.count(partition) == 0 && once_owned_.count(partition) > 0;
    });
    // Somebody else has written to it meanwhile.
    if (again) options_.cache->Forget();
    options_.store->OnPartitionsChanged();
    owned_ = owned;
    const int devices = options_.engine->partitions().count();
    const auto of_devices = std::distance(owned_.begin(),
                                          owned_.lower_bound(static_cast<int16_t>(devices)));
    share_ = static_cast<double>(of_devices) / devices;
    if (options_.on_changed) options_.on_changed();
    once_owned_.insert(owned.begin(), owned.end());
  }
  options_.watch->SetOwned(owned_);
}

absl::Status PartitionSharing::CheckDevice(const DeviceId& device) const {
  const int partition = options_.engine->partitions().OfDevice(device.bytes());
  return options_.engine->Owns(partition) ? absl::OkStatus() : options_.watch->NotOwner(partition);
}

uint64_t PartitionSharing::EpochOf(const DeviceId& device) const {
  return options_.engine->OwnedSince(options_.engine->partitions().OfDevice(device.bytes()));
}

bool PartitionSharing::IsAlone() const {
  const Partitions& partitions = options_.engine->partitions();
  if (!options_.watch->alone()) return false;
  for (int p = 0; p <= partitions.shared(); ++p) {
    if (!options_.engine->Owns(p)) return false;
  }
  for (const uint32_t feed : options_.watch->Feeds()) {
    if (!options_.engine->Owns(partitions.OfFeed(feed))) return false;
  }
  return true;
}

absl::Status PartitionSharing::CheckHome() const {
  const int partition = options_.engine->partitions().shared();
  return options_.engine->Owns(partition) ? absl::OkStatus() : options_.watch->NotOwner(partition);
}

}  // namespace bellwire::registry
