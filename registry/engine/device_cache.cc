#include "registry/engine/device_cache.h"

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/status_macros.h"

namespace bellwire::registry {
namespace {

// A group without records: its key, its place in the table.
constexpr size_t kGroupBytes = 128;

// The device whose key it is; empty: the families' keys are of another kind.
absl::string_view DeviceOf(Family family, absl::string_view key) {
  if ((family != Family::kDevices && family != Family::kLives) || key.size() < DeviceId::kSize) {
    return {};
  }
  return key.substr(0, DeviceId::kSize);
}

}  // namespace

absl::StatusOr<std::optional<std::string>> DeviceCache::Get(Family family,
                                                            absl::string_view key) const {
  std::string storage;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<absl::string_view> value,
                            View(family, key, &storage));
  if (!value.has_value()) return std::nullopt;
  return std::string(*value);
}

absl::StatusOr<std::optional<absl::string_view>> DeviceCache::View(Family family,
                                                                   absl::string_view key,
                                                                   std::string* storage) const {
  BELLWIRE_ASSIGN_OR_RETURN(const std::shared_ptr<const Group> group, GroupOf(family, key));
  if (group == nullptr) return engine_->View(family, key, storage);
  const auto it = group->records.find(key);
  if (it == group->records.end()) return std::nullopt;
  return absl::string_view(it->second);
}

absl::Status DeviceCache::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  std::shared_ptr<const Group> group;
  if (DeviceOf(family, from) == DeviceOf(family, to)) {
    BELLWIRE_ASSIGN_OR_RETURN(group, GroupOf(family, from));
  }
  if (group == nullptr) return engine_->Scan(family, from, to, visit);
  for (auto it = group->records.lower_bound(from); it != group->records.end() && it->first < to;
       ++it) {
    if (!visit(it->first, it->second)) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const DeviceCache::Group>> DeviceCache::GroupOf(
    Family family, absl::string_view key) const {
  const absl::string_view device = DeviceOf(family, key);
  if (device.empty()) return nullptr;
  std::shared_ptr<Group> group = Find(family, device);
  if (group == nullptr) {
    BELLWIRE_ASSIGN_OR_RETURN(group, Fetch(family, device));
    Insert(family, device, group);
  }
  if (!group->held) return nullptr;
  return group;
}

absl::StatusOr<std::shared_ptr<DeviceCache::Group>> DeviceCache::Fetch(
    Family family, absl::string_view device) const {
  auto group = std::make_shared<Group>();
  group->bytes = kGroupBytes;
  // After every key of the device, which is shorter or has a smaller byte.
  const std::string end = absl::StrCat(device, std::string(64, '\xff'));
  BELLWIRE_RETURN_IF_ERROR(engine_->Scan(
      family, device, end, [&](absl::string_view key, absl::string_view value) {
        group->bytes += key.size() + value.size();
        group->held = group->bytes <= kMaxDeviceBytes;
        if (group->held) group->records.emplace_hint(group->records.end(), key, value);
        return group->held;
      }));
  if (!group->held) {
    group->records.clear();
    group->bytes = kGroupBytes;
  }
  return group;
}

std::shared_ptr<DeviceCache::Group> DeviceCache::Find(Family family,
                                                      absl::string_view device) const {
  const std::pair<Family, std::string> key(family, device);
  if (const auto it = young_.find(key); it != young_.end()) return it->second;
  const auto it = old_.find(key);
  if (it == old_.end()) return nullptr;
  std::shared_ptr<Group> group = std::move(it->second);
  old_.erase(it);
  old_bytes_ -= group->bytes;
  Insert(family, device, group);
  return group;
}

void DeviceCache::Insert(Family family, absl::string_view device,
                         std::shared_ptr<Group> group) const {
  // First, so that what is inserted is there afterwards.
  if (young_bytes_ + group->bytes > max_bytes_ / 2) {
    old_ = std::exchange(young_, {});
    old_bytes_ = std::exchange(young_bytes_, 0);
  }
  young_bytes_ += group->bytes;
  young_.insert_or_assign({family, std::string(device)}, std::move(group));
}

absl::Status DeviceCache::Commit(const WriteSet& writes) {
  if (absl::Status status = engine_->Commit(writes); !status.ok()) {
    // It is unknown what of it is there.
    Clear();
    return status;
  }
  for (const auto& [key, change] : writes) {
    const absl::string_view device = DeviceOf(key.family, key.key);
    if (device.empty()) continue;
    const std::shared_ptr<Group> group = Find(key.family, device);
    if (group == nullptr || !group->held) continue;
    const size_t before = group->bytes;
    if (const auto it = group->records.find(key.key); it != group->records.end()) {
      group->bytes -= it->first.size() + it->second.size();
      group->records.erase(it);
    }
    if (change.value.has_value()) {
      group->bytes += key.key.size() + change.value->size();
      group->records.emplace(key.key, *change.value);
    }
    if (group->bytes > kMaxDeviceBytes) {
      group->records.clear();
      group->bytes = kGroupBytes;
      group->held = false;
    }
    // Find has made it young.
    young_bytes_ += group->bytes - before;
  }
  return absl::OkStatus();
}

void DeviceCache::Clear() const {
  young_.clear();
  old_.clear();
  young_bytes_ = old_bytes_ = 0;
}

}  // namespace bellwire::registry
