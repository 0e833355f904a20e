#ifndef BELLWIRE_REGISTRY_ENGINE_MEMORY_ENGINE_H_
#define BELLWIRE_REGISTRY_ENGINE_MEMORY_ENGINE_H_

#include <cstddef>
#include <string>

#include "absl/container/btree_map.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// The engine of tests and simulations. Models what a disk does with a commit: it is written, then
// synced, and a crash in between loses or keeps it as the disk likes. Not thread-safe.
class MemoryEngine final : public KvEngine {
 public:
  // Where the next commit fails.
  enum class Fault {
    kNone,
    // Nothing of it reaches the disk: no room.
    kBeforeWrite,
    // It is written, and the sync fails, or the machine dies in it.
    kBeforeSync,
  };
  // What a crash does with a commit that was written and not synced.
  enum class Unsynced { kLost, kKept };

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;
  absl::Status Commit(const WriteSet& writes) override;

  // The next commits fail there, until another fault, or none, is set. After kBeforeSync everything
  // is UNAVAILABLE until Crash(), as after a failed sync nobody knows what lies on the disk.
  void set_fault(Fault fault) { fault_ = fault; }
  // The process or the machine dies and comes back.
  void Crash(Unsynced unsynced);

  // How many commits were synced.
  size_t syncs() const { return syncs_; }

 private:
  void Apply(const WriteSet& writes);

  absl::btree_map<KvKey, std::string, KvKeyLess> durable_;
  // Written, and the sync failed.
  WriteSet unsynced_;
  bool broken_ = false;
  Fault fault_ = Fault::kNone;
  size_t syncs_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_MEMORY_ENGINE_H_
