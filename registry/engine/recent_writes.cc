#include "registry/engine/recent_writes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "registry/engine/merged_scan.h"

namespace bellwire::registry {
namespace {

// How much of a key names its group: a device's records lie together, the outbox is one.
size_t PrefixBytes(Family family) { return family == Family::kDevices ? DeviceId::kSize : 0; }

}  // namespace

bool RecentWrites::Keeps(Family family) {
  // The others stay for days, or are few.
  return family == Family::kDevices || family == Family::kOutbox;
}

const RecentWrites::Group* RecentWrites::FindGroup(Family family, absl::string_view key) const {
  if (!Keeps(family)) return nullptr;
  const auto it = by_prefix_.find(std::make_pair(family, key.substr(0, PrefixBytes(family))));
  return it == by_prefix_.end() ? nullptr : &*it->second;
}

const Change* RecentWrites::Find(Family family, absl::string_view key) const {
  const Group* const group = FindGroup(family, key);
  if (group == nullptr) return nullptr;
  const auto it = group->changes.find(key.substr(group->prefix.size()));
  return it == group->changes.end() ? nullptr : &it->second;
}

absl::StatusOr<std::optional<std::string>> RecentWrites::Get(Family family,
                                                             absl::string_view key) const {
  const Change* const change = Find(family, key);
  if (change != nullptr) return change->value;
  return tables_->Get(family, key);
}

absl::StatusOr<std::optional<absl::string_view>> RecentWrites::View(Family family,
                                                                    absl::string_view key,
                                                                    std::string* storage) const {
  const Change* const change = Find(family, key);
  if (change == nullptr) return tables_->View(family, key, storage);
  return change->value.has_value() ? std::optional<absl::string_view>(*change->value)
                                   : std::nullopt;
}

absl::Status RecentWrites::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  const std::vector<Found> found = FindAll(family, from, to);
  auto next = found.begin();
  const auto next_change = [&]() -> std::optional<ChangedKey> {
    if (next == found.end()) return std::nullopt;
    const ChangedKey change{next->key, &next->change->value};
    ++next;
    return change;
  };
  return MergedScan(*tables_, family, from, to, next_change, visit);
}

std::vector<RecentWrites::Found> RecentWrites::FindAll(Family family, absl::string_view from,
                                                       absl::string_view to) const {
  std::vector<Found> found;
  const auto add = [&](const Group& group, const auto& begin, const auto& end) {
    for (auto it = begin; it != end; ++it) {
      found.push_back({absl::StrCat(group.prefix, it->first), &it->second});
    }
  };
  const size_t prefix_bytes = PrefixBytes(family);
  if (from.substr(0, prefix_bytes) == to.substr(0, prefix_bytes)) {
    if (const Group* group = FindGroup(family, from); group != nullptr) {
      add(*group, group->changes.lower_bound(from.substr(prefix_bytes)),
          group->changes.lower_bound(to.substr(prefix_bytes)));
    }
    return found;
  }
  // Across devices: who checks a store, and chores. A group's keys lie between its prefix and the
  // next one.
  const absl::string_view first = from.substr(0, prefix_bytes);
  for (const Group& group : groups_) {
    if (group.family == family && group.prefix >= first && group.prefix < to) {
      add(group, group.changes.begin(), group.changes.end());
    }
  }
  found.erase(std::remove_if(found.begin(), found.end(),
                             [&](const Found& f) { return f.key < from || f.key >= to; }),
              found.end());
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.key < b.key; });
  return found;
}

void RecentWrites::ForEach(
    Family family, absl::string_view prefix,
    absl::FunctionRef<void(absl::string_view key, const Change& change)> visit) const {
  const Group* const group = FindGroup(family, prefix);
  if (group == nullptr) return;
  for (const auto& [rest, change] : group->changes) visit(absl::StrCat(prefix, rest), change);
}

void RecentWrites::Add(const KvKey& key, Change change, const LogPlace& place) {
  const absl::string_view prefix = absl::string_view(key.key).substr(0, PrefixBytes(key.family));
  auto it = by_prefix_.find(std::make_pair(key.family, prefix));
  if (it == by_prefix_.end()) {
    groups_.push_back({key.family, std::string(prefix), place, {}});
    const auto group = std::prev(groups_.end());
    it = by_prefix_.try_emplace(std::make_pair(key.family, absl::string_view(group->prefix)), group)
             .first;
  }
  AddChange(key.key.substr(prefix.size()), std::move(change), &it->second->changes);
}

void RecentWrites::TakeBefore(uint64_t bytes, uint64_t at_most,
                              absl::FunctionRef<void(Family family, absl::string_view key,
                                                     const std::optional<std::string>& value)>
                                  write) {
  uint64_t taken = 0;
  while (taken < at_most && !groups_.empty() && groups_.front().since.bytes < bytes) {
    const Group& group = groups_.front();
    for (const auto& [rest, change] : group.changes) {
      const std::string key = absl::StrCat(group.prefix, rest);
      taken += key.size() + (change.value.has_value() ? change.value->size() : 0);
      write(group.family, key, change.value);
    }
    by_prefix_.erase(std::make_pair(group.family, absl::string_view(group.prefix)));
    groups_.pop_front();
  }
}

void RecentWrites::TakeThose(absl::FunctionRef<bool(Family family, absl::string_view key)> picks,
                             absl::FunctionRef<void(Family family, absl::string_view key,
                                                    const std::optional<std::string>& value)>
                                 write) {
  for (auto group = groups_.begin(); group != groups_.end();) {
    const bool whole = !group->prefix.empty();
    for (auto it = group->changes.begin(); it != group->changes.end();) {
      const std::string key = absl::StrCat(group->prefix, it->first);
      if (!picks(group->family, key)) {
        if (whole) break;
        ++it;
        continue;
      }
      write(group->family, key, it->second.value);
      it = group->changes.erase(it);
    }
    if (!group->changes.empty()) {
      ++group;
      continue;
    }
    by_prefix_.erase(std::make_pair(group->family, absl::string_view(group->prefix)));
    group = groups_.erase(group);
  }
}

std::optional<LogPlace> RecentWrites::oldest() const {
  if (groups_.empty()) return std::nullopt;
  return groups_.front().since;
}

}  // namespace bellwire::registry
