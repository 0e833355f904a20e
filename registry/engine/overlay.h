#ifndef BELLWIRE_REGISTRY_ENGINE_OVERLAY_H_
#define BELLWIRE_REGISTRY_ENGINE_OVERLAY_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// Changes that are staged over a base and seen through as if they were in it. They nest: the
// overlay of one operation lies over that of its batch, which lies over the engine; an operation
// that fails is dropped with its overlay and leaves no trace in the batch.
//
// Not thread-safe. The base must outlive it, and must not change under it but by MergeInto.
class Overlay final : public KvReader {
 public:
  explicit Overlay(const KvReader* base) : base_(base) {}
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;

  void Put(Family family, absl::string_view key, std::string value);
  // REQUIRES: there is no such key, and if there ever was one its deletion was committed before.
  void PutNew(Family family, absl::string_view key, std::string value);
  void Delete(Family family, absl::string_view key);

  // Moves the changes into `below`, the base of this overlay.
  void MergeInto(Overlay* below) &&;

  const WriteSet& writes() const { return writes_; }
  // For KvEngine::CommitInPlace. Clear comes next.
  WriteSet* mutable_writes() { return &writes_; }
  void Clear() { writes_.clear(); }

 private:
  const KvReader* const base_;
  WriteSet writes_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_OVERLAY_H_
