#ifndef BELLWIRE_REGISTRY_ENGINE_RECORD_CACHE_H_
#define BELLWIRE_REGISTRY_ENGINE_RECORD_CACHE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// An engine in front of another one that remembers the records of one family that were read or
// written last: the agent's acknowledgement writes a message's life, the app's reads it a moment
// later, and a look into RocksDB's memtables costs ten times as much as one into a hash table. It
// holds what the engine below has committed and nothing else: a commit that fails empties it.
//
// Scans go to the engine below. Not thread-safe.
class RecordCache final : public KvEngine {
 public:
  // `max_bytes` of keys and values of `family`, in two generations: when the younger one is half of
  // that, the older one is forgotten. What is used in time moves to the younger one.
  RecordCache(std::unique_ptr<KvEngine> engine, Family family, size_t max_bytes);

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override;
  absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
      const override {
    return engine_->Scan(family, from, to, visit);
  }
  absl::Status Commit(const WriteSet& writes) override;

  // From now on only those keys are held of which `holds` says so: others write to the rest. Empty:
  // all.
  void SetHolds(std::function<bool(absl::string_view key)> holds) { holds_ = std::move(holds); }

  size_t bytes() const { return young_bytes_ + old_bytes_; }

 private:
  using Records = absl::flat_hash_map<std::string, std::string>;

  bool Holds(Family family, absl::string_view key) const {
    return family == family_ && (!holds_ || holds_(key));
  }
  // Null: not here.
  const std::string* Find(absl::string_view key) const;
  // Answers where the value lies.
  const std::string* Put(absl::string_view key, std::string value) const;
  static void Erase(absl::string_view key, Records* from, size_t* bytes);
  void Clear() const;

  const std::unique_ptr<KvEngine> engine_;
  const Family family_;
  const size_t max_bytes_;
  std::function<bool(absl::string_view key)> holds_;
  mutable Records young_;
  mutable Records old_;
  // Of keys and values.
  mutable size_t young_bytes_ = 0;
  mutable size_t old_bytes_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_RECORD_CACHE_H_
