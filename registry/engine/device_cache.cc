#include "registry/engine/device_cache.h"

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/status_macros.h"

namespace bellwire::registry {
namespace {

// What a group takes beside its records: its key, its place in the table, the group itself.
constexpr size_t kGroupBytes = 224;
// What a record takes beside the bytes of its key and value: two strings in a node that is not
// full, and two blocks of the heap.
constexpr size_t kRecordBytes = 112;

size_t BytesOf(absl::string_view key, absl::string_view value) {
  return kRecordBytes + key.size() + value.size();
}

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
  if (device.empty() || !Owns(device)) return nullptr;
  std::shared_ptr<Group> group = Find(family, device);
  (group == nullptr ? counts_.misses : counts_.hits).Add();
  if (group == nullptr && reader_ != nullptr) {
    // Its records and its lives together.
    Prefetch({std::string(device)});
    group = Find(family, device);
  }
  if (group == nullptr) {
    BELLWIRE_ASSIGN_OR_RETURN(group, Fetch(family, device));
    Insert(family, device, group);
  }
  if (!group->held) return nullptr;
  return group;
}

void DeviceCache::Prefetch(absl::Span<const std::string> devices) const {
  if (reader_ == nullptr) return;
  absl::flat_hash_set<absl::string_view> seen;
  std::vector<std::string> missing;
  for (const std::string& device : devices) {
    if (!Owns(device)) continue;
    if (Find(Family::kDevices, device) != nullptr && Find(Family::kLives, device) != nullptr) {
      continue;
    }
    if (seen.insert(device).second) missing.push_back(device);
  }
  if (missing.empty()) return;
  reader_
      ->ReadDevices(missing, kMaxPrefetchBytes,
                    [this](Family family, const std::string& device, DeviceRecords records) {
                      Take(family, device, std::move(records));
                    })
      .IgnoreError();
}

void DeviceCache::Take(Family family, const std::string& device, DeviceRecords records) const {
  if (!records.complete || Find(family, device) != nullptr) return;
  auto group = std::make_shared<Group>();
  group->bytes = kGroupBytes;
  for (const auto& [key, value] : records.records) group->bytes += BytesOf(key, value);
  group->records = std::move(records.records);
  Insert(family, device, std::move(group));
}

absl::StatusOr<std::shared_ptr<DeviceCache::Group>> DeviceCache::Fetch(
    Family family, absl::string_view device) const {
  auto group = std::make_shared<Group>();
  group->bytes = kGroupBytes;
  // After every key of the device, which is shorter or has a smaller byte.
  const std::string end = absl::StrCat(device, std::string(64, '\xff'));
  BELLWIRE_RETURN_IF_ERROR(
      engine_->Scan(family, device, end, [&](absl::string_view key, absl::string_view value) {
        group->bytes += BytesOf(key, value);
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
  NoteBytes();
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
      group->bytes -= BytesOf(it->first, it->second);
      group->records.erase(it);
    }
    if (change.value.has_value()) {
      group->bytes += BytesOf(key.key, *change.value);
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
  NoteBytes();
  return absl::OkStatus();
}

void DeviceCache::Clear() const {
  young_.clear();
  old_.clear();
  young_bytes_ = old_bytes_ = 0;
  NoteBytes();
}

}  // namespace bellwire::registry
