#include "registry/engine/record_cache.h"

#include <utility>

#include "common/status_macros.h"

namespace bellwire::registry {

RecordCache::RecordCache(std::unique_ptr<KvEngine> engine, Family family, size_t max_bytes)
    : engine_(std::move(engine)), family_(family), max_bytes_(max_bytes) {}

absl::StatusOr<std::optional<std::string>> RecordCache::Get(Family family,
                                                            absl::string_view key) const {
  std::string storage;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<absl::string_view> value,
                            View(family, key, &storage));
  if (!value.has_value()) return std::nullopt;
  return std::string(*value);
}

absl::StatusOr<std::optional<absl::string_view>> RecordCache::View(Family family,
                                                                   absl::string_view key,
                                                                   std::string* storage) const {
  if (!Holds(family, key)) return engine_->View(family, key, storage);
  if (const std::string* found = Find(key); found != nullptr) return *found;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<absl::string_view> value,
                            engine_->View(family, key, storage));
  // What is not there is asked for once: a message id that is new.
  if (!value.has_value()) return std::nullopt;
  return *Put(key, std::string(*value));
}

const std::string* RecordCache::Find(absl::string_view key) const {
  if (const auto it = young_.find(key); it != young_.end()) return &it->second;
  const auto it = old_.find(key);
  if (it == old_.end()) return nullptr;
  return Put(key, std::string(it->second));
}

absl::Status RecordCache::Commit(const WriteSet& writes) {
  if (absl::Status status = engine_->Commit(writes); !status.ok()) {
    // It is unknown what of it is there, and the engine may be another one when it is back.
    Clear();
    return status;
  }
  for (const auto& [key, change] : writes) {
    if (!Holds(key.family, key.key)) continue;
    if (change.value.has_value()) {
      Put(key.key, *change.value);
    } else {
      Erase(key.key, &young_, &young_bytes_);
      Erase(key.key, &old_, &old_bytes_);
    }
  }
  return absl::OkStatus();
}

const std::string* RecordCache::Put(absl::string_view key, std::string value) const {
  Erase(key, &old_, &old_bytes_);
  const auto [it, inserted] = young_.try_emplace(key);
  if (inserted) young_bytes_ += key.size();
  young_bytes_ += value.size() - it->second.size();
  it->second = std::move(value);
  // Stays where it is when its table changes hands.
  const std::string* const at = &it->second;
  if (young_bytes_ >= max_bytes_ / 2) {
    old_ = std::exchange(young_, {});
    old_bytes_ = std::exchange(young_bytes_, 0);
  }
  return at;
}

void RecordCache::Erase(absl::string_view key, Records* from, size_t* bytes) {
  const auto it = from->find(key);
  if (it == from->end()) return;
  *bytes -= it->first.size() + it->second.size();
  from->erase(it);
}

void RecordCache::Clear() const {
  young_.clear();
  old_.clear();
  young_bytes_ = old_bytes_ = 0;
}

}  // namespace bellwire::registry
