#ifndef BELLWIRE_REGISTRY_BACKUP_RESTORE_H_
#define BELLWIRE_REGISTRY_BACKUP_RESTORE_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace bellwire::registry {

struct RestoreOptions {
  // What BackupMaker made, or a copy of the data directory of a server that was stopped.
  std::string backup;
  // The server's data directory. Made if it does not exist.
  std::string data_dir;
  // Moves aside what is in the way, instead of refusing.
  bool force = false;
  // Puts back the store alone: the data directory's own keys are newer than the backup's.
  bool keep_keys = false;
  // The keys of its payloads, which no backup holds. Empty: it is not sealed.
  std::string payload_key_file;
};

struct Restored {
  // In the store.
  uint64_t records = 0;
  // Where what was in the way is now. Empty: nothing was.
  std::string moved_to;
};

// Puts a backup into the place of a server that is stopped. Verifies the backup's store first
// (registry/check/store_check.h), then copies it beside the old one, then renames: what fails
// before that leaves the data directory as it was, and what fails within it can be repeated. The
// backup is only read. `now` names the directory that old files are moved to. `progress` is as of
// CheckStore.
//   NOT_FOUND NO_BACKUP · DATA_LOSS STORE_CORRUPT: the backup is damaged · ALREADY_EXISTS
//   STORE_EXISTS: without `force`, and something is in the way · FAILED_PRECONDITION STORE_LOCKED:
//   a server uses the old store · FAILED_PRECONDITION NO_TOKEN_KEYS · UNAVAILABLE FILE_NOT_WRITTEN
//   · and those of TokenSealer::FromFile and CheckStore
absl::StatusOr<Restored> RestoreBackup(
    const RestoreOptions& options, absl::Time now,
    absl::FunctionRef<void(absl::string_view what, uint64_t done)> progress);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_BACKUP_RESTORE_H_
