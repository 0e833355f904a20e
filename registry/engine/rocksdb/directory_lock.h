#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_DIRECTORY_LOCK_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_DIRECTORY_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace bellwire::registry {

// One writer per directory: a lock on DIRECTORY/bellwire.lock, held while this object lives and let
// go by the kernel when the process dies. RocksDB locks the directory too, but only while it is
// open, and its error doesn't say who holds it.
class DirectoryLock {
 public:
  //   FAILED_PRECONDITION STORE_LOCKED: another process (its pid is named) or another object here
  //   holds it · UNAVAILABLE REGISTRY_UNAVAILABLE: the file can't be made
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& directory);

  // Shared with others that only read, and without a trace in the directory: while it is held no
  // writer takes the lock. Nullptr: there is no lock file, so nobody ever wrote here.
  //   FAILED_PRECONDITION STORE_LOCKED: a writer holds it · UNAVAILABLE REGISTRY_UNAVAILABLE
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> TakeToRead(const std::string& directory);

  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  const int fd_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_DIRECTORY_LOCK_H_
