#include "registry/overlay.h"

#include <utility>

namespace bellwire::registry {

absl::StatusOr<std::optional<std::string>> Overlay::Get(Family family,
                                                        absl::string_view key) const {
  const auto it = writes_.find(std::make_pair(family, key));
  if (it != writes_.end()) return it->second;
  return base_->Get(family, key);
}

absl::StatusOr<std::optional<absl::string_view>> Overlay::View(Family family, absl::string_view key,
                                                               std::string* storage) const {
  const auto it = writes_.find(std::make_pair(family, key));
  if (it == writes_.end()) return base_->View(family, key, storage);
  return it->second.has_value() ? std::optional<absl::string_view>(*it->second) : std::nullopt;
}

absl::Status Overlay::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  auto staged = writes_.lower_bound(std::make_pair(family, from));
  const auto staged_end = writes_.lower_bound(std::make_pair(family, to));
  bool stopped = false;
  // Visits what is staged before `limit` (everything, if null); what is staged as deleted is passed by.
  const auto visit_staged_before = [&](const absl::string_view* limit) {
    while (!stopped && staged != staged_end && (limit == nullptr || staged->first.key < *limit)) {
      if (staged->second.has_value() && !visit(staged->first.key, *staged->second)) stopped = true;
      ++staged;
    }
  };
  const absl::Status status =
      base_->Scan(family, from, to, [&](absl::string_view key, absl::string_view value) {
        visit_staged_before(&key);
        if (stopped) return false;
        if (staged != staged_end && staged->first.key == key) {
          if (staged->second.has_value() && !visit(key, *staged->second)) stopped = true;
          ++staged;
        } else if (!visit(key, value)) {
          stopped = true;
        }
        return !stopped;
      });
  if (!status.ok()) return status;
  visit_staged_before(nullptr);
  return absl::OkStatus();
}

void Overlay::Put(Family family, absl::string_view key, std::string value) {
  writes_.insert_or_assign(KvKey{family, std::string(key)}, std::move(value));
}

void Overlay::Delete(Family family, absl::string_view key) {
  writes_.insert_or_assign(KvKey{family, std::string(key)}, std::nullopt);
}

void Overlay::MergeInto(Overlay* below) && {
  // Moves whole entries, keys too; what is left has one below already.
  below->writes_.merge(writes_);
  for (auto& [key, value] : writes_) below->writes_.find(key)->second = std::move(value);
  writes_.clear();
}

}  // namespace bellwire::registry
