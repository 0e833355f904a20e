#ifndef BELLWIRE_REGISTRY_BACKUP_BACKUP_MAKER_H_
#define BELLWIRE_REGISTRY_BACKUP_BACKUP_MAKER_H_

#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/admin/v1/backup.pb.h"
#include "ops/data_dir.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// FAILED_PRECONDITION BACKUPS_OFF
absl::Status BackupsOffError();

// Whether a backup could be made below `backup_dir`, as far as that can be told beforehand. Changes
// nothing. `store`: the directory of the registry's store.
//   FAILED_PRECONDITION BAD_BACKUP_DIR, with what is wrong
absl::Status CheckBackupDir(const std::string& backup_dir, const std::string& store);

// Makes backups of a running registry: its store, and the keys without which a store is of no use.
// A backup is laid out as a data directory. It gets its name once it is complete and on the disk;
// what fails leaves nothing behind, and what a crash left the next backup removes.
//
// One at a time, on a thread of its own. Thread-safe.
class BackupMaker {
 public:
  struct Options {
    // Where backups go: nothing else is ever written. Made if it does not exist. Empty: refuses
    // every backup.
    std::string backup_dir;
    // Its keys go into each backup. The store does not come from here.
    DataDir data_dir{""};
    // Puts the store as of now into a new directory. Called on the maker's thread.
    std::function<absl::Status(const std::string& directory)> checkpoint;
  };

  explicit BackupMaker(Options options);
  // Waits for the backup that is being made.
  ~BackupMaker();
  BackupMaker(const BackupMaker&) = delete;
  BackupMaker& operator=(const BackupMaker&) = delete;

  // Never blocks for long: `done` is called on the maker's thread. Errors as bellwire.admin.v1
  // names them for Backup.
  void Make(const admin::v1::BackupRequest& request, Done<admin::v1::BackupResponse> done);

 private:
  // The name below backup_dir that `directory` stands for.
  absl::StatusOr<std::string> NameOf(absl::string_view directory) const;
  absl::StatusOr<admin::v1::BackupResponse> Run(const std::string& name) const;
  // Puts everything that belongs to a backup into a new directory.
  absl::StatusOr<admin::v1::BackupResponse> Fill(const std::string& directory) const;

  // Not changed after the constructor.
  Options options_;
  absl::Mutex mutex_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_BACKUP_BACKUP_MAKER_H_
