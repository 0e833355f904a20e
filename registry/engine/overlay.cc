#include "registry/engine/overlay.h"

#include <utility>

#include "registry/engine/merged_scan.h"

namespace bellwire::registry {

absl::StatusOr<std::optional<std::string>> Overlay::Get(Family family,
                                                        absl::string_view key) const {
  const auto it = writes_.find(std::make_pair(family, key));
  if (it != writes_.end()) return it->second.value;
  return base_->Get(family, key);
}

absl::StatusOr<std::optional<absl::string_view>> Overlay::View(Family family, absl::string_view key,
                                                               std::string* storage) const {
  const auto it = writes_.find(std::make_pair(family, key));
  if (it == writes_.end()) return base_->View(family, key, storage);
  const std::optional<std::string>& value = it->second.value;
  return value.has_value() ? std::optional<absl::string_view>(*value) : std::nullopt;
}

absl::Status Overlay::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  auto staged = writes_.lower_bound(std::make_pair(family, from));
  const auto staged_end = writes_.lower_bound(std::make_pair(family, to));
  const auto next_change = [&]() -> std::optional<ChangedKey> {
    if (staged == staged_end) return std::nullopt;
    const ChangedKey change{staged->first.key, &staged->second.value};
    ++staged;
    return change;
  };
  return MergedScan(*base_, family, from, to, next_change, visit);
}

void Overlay::Put(Family family, absl::string_view key, std::string value) {
  AddChange(KvKey{family, std::string(key)}, std::move(value), &writes_);
}

void Overlay::PutNew(Family family, absl::string_view key, std::string value) {
  Change change(std::move(value));
  change.is_new = true;
  AddChange(KvKey{family, std::string(key)}, std::move(change), &writes_);
}

void Overlay::Delete(Family family, absl::string_view key) {
  AddChange(KvKey{family, std::string(key)}, std::nullopt, &writes_);
}

void Overlay::MergeInto(Overlay* below) && {
  // Moves whole entries, keys too; what is left has one below already.
  below->writes_.merge(writes_);
  for (auto& [key, change] : writes_) AddChange(key, std::move(change), &below->writes_);
  writes_.clear();
}

}  // namespace bellwire::registry
