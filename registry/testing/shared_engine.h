#ifndef BELLWIRE_REGISTRY_TESTING_SHARED_ENGINE_H_
#define BELLWIRE_REGISTRY_TESTING_SHARED_ENGINE_H_

#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// An engine that somebody else owns: a store may die and come back over it, as a process does over
// its disk.
class SharedEngine final : public KvEngine {
 public:
  explicit SharedEngine(KvEngine* engine) : engine_(engine) {}

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override {
    return engine_->Get(family, key);
  }
  absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
      const override {
    return engine_->Scan(family, from, to, visit);
  }
  absl::Status Commit(const WriteSet& writes) override { return engine_->Commit(writes); }

 private:
  KvEngine* const engine_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_SHARED_ENGINE_H_
