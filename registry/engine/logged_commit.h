#ifndef BELLWIRE_REGISTRY_ENGINE_LOGGED_COMMIT_H_
#define BELLWIRE_REGISTRY_ENGINE_LOGGED_COMMIT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/engine/commit_log.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// Writes one entry of a CommitLog: what a commit says about the records that RecentWrites holds.
// docs/reference/registry_format.md has the bytes.
//
//   entry.Start(oldest);
//   entry.Write(family, key, value);
//   log->Append(commit, entry.bytes());
//
// Reusable, so that its buffer grows once. Not thread-safe.
class LoggedCommit {
 public:
  // Begins anew. The entries before `oldest` are not needed any more.
  void Start(uint64_t oldest);

  // nullopt: the key is deleted.
  void Write(Family family, absl::string_view key, const std::optional<std::string>& value);

  absl::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// What RecentWrites held when the store was closed, or its process died.
struct RecoveredWrites {
  WriteSet writes;
  // Number of the last entry; 0: there is none.
  uint64_t last_commit = 0;
};

// Redoes a log: the latest write of each key counts. It may repeat what the tables were told, and
// never brings back an older value: entries go from the oldest on, so whoever finds a write of a
// key finds all later ones too. DATA_LOSS STORE_CORRUPT: an entry is damaged, or one that is needed
// is missing. Entries are read to their end, and only what `counts` says so of is redone: the log's
// owner may have given some of its records to another one meanwhile.
absl::StatusOr<RecoveredWrites> RecoverFrom(
    const CommitLog& log,
    absl::FunctionRef<bool(uint64_t commit, Family family, absl::string_view key)> counts =
        [](uint64_t, Family, absl::string_view) { return true; });

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_LOGGED_COMMIT_H_
