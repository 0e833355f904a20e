#include "registry/engine/memory_engine.h"

#include <utility>

#include "registry/engine/store_error.h"

namespace bellwire::registry {

absl::StatusOr<std::optional<std::string>> MemoryEngine::Get(Family family,
                                                             absl::string_view key) const {
  if (broken_) return StoreUnavailableError("the sync failed");
  const auto it = durable_.find(std::make_pair(family, key));
  if (it == durable_.end()) return std::optional<std::string>();
  return std::optional<std::string>(it->second);
}

absl::Status MemoryEngine::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  if (broken_) return StoreUnavailableError("the sync failed");
  for (auto it = durable_.lower_bound(std::make_pair(family, from));
       it != durable_.end() && it->first.family == family && it->first.key < to; ++it) {
    if (!visit(it->first.key, it->second)) break;
  }
  return absl::OkStatus();
}

absl::Status MemoryEngine::Commit(const WriteSet& writes) {
  if (broken_) return StoreUnavailableError("the sync failed");
  switch (fault_) {
    case Fault::kBeforeWrite:
      return StoreUnavailableError("no room");
    case Fault::kBeforeSync:
      unsynced_ = writes;
      broken_ = true;
      return StoreUnavailableError("the sync failed");
    case Fault::kNone:
      break;
  }
  Apply(writes);
  ++syncs_;
  return absl::OkStatus();
}

void MemoryEngine::Crash(Unsynced unsynced) {
  if (unsynced == Unsynced::kKept) Apply(unsynced_);
  unsynced_.clear();
  broken_ = false;
  fault_ = Fault::kNone;
}

void MemoryEngine::Apply(const WriteSet& writes) {
  for (const auto& [key, change] : writes) {
    if (change.value.has_value()) {
      durable_.insert_or_assign(key, *change.value);
    } else {
      durable_.erase(key);
    }
  }
}

}  // namespace bellwire::registry
