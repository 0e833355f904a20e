#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_ENGINE_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log_limit.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/rocksdb/directory_lock.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace bellwire::registry {

// Records on disk, in RocksDB: the engine of the product. docs/reference/registry_format.md
// describes what lies in the directory and how each option serves "nothing answered OK is lost,
// nothing corrupt served".
//
// A commit is one record of RocksDB's log, and one sync. What it says about short-lived records
// stays in memory and in the log (registry/engine/recent_writes.h) before RocksDB's tables hear of
// it, if they ever do.
//
// After a failed write nothing that the process believes about the files is trusted any more: the
// database is closed and opened again, which recovers exactly what a restart would. Until that
// succeeds (there is room again, the disk is back) everything is UNAVAILABLE.
//
// Not thread-safe, but for what says so. RocksDB's own background threads are inside.
class RocksDbEngine final : public KvEngine {
 public:
  struct Options {
    // Made if it does not exist, readable by nobody else.
    std::string directory;
    // Spaces the attempts to open again. Not owned; outlives the engine.
    const Clock* clock = nullptr;
    // Where faults are injected. Not owned; outlives the engine. Null: the machine's files.
    rocksdb::Env* env = nullptr;
    // Changes nothing in the directory, not even by recovery: several may read beside each other,
    // and no writer meanwhile. Commit fails.
    bool read_only = false;
    // Bounds what the tables haven't heard of. Tests reach a smaller bound sooner.
    uint64_t max_recent_writes_bytes = kMaxRecentWritesBytes;
    // The records come from another store, whose last start had this number: this one's gets a
    // greater one.
    uint64_t numbers_before = 0;
  };

  // Opens the store or, in an empty directory, makes one. Errors as RegistryServer::Start; and,
  // read-only, FAILED_PRECONDITION STORE_FORMAT if there is no store.
  static absl::StatusOr<std::unique_ptr<RocksDbEngine>> Open(Options options);

  ~RocksDbEngine() override;

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;
  absl::Status Commit(const WriteSet& writes) override;

  // Puts the store as of now, what was committed before the call included, into a new directory,
  // which RocksDbEngine opens as it opens any other. Files that don't change any more become hard
  // links, or copies where `directory` is on another file system. After an error nothing of it is
  // left. REQUIRES: not read-only; `directory` is absolute, does not exist, and its parent does.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: the disk is full, or the store is closed after a failed
  //   write
  //
  // Thread-safe, beside everything but the destructor: commits go on meanwhile.
  absl::Status Checkpoint(const std::string& directory) const;

  // Has the files give up what was written over or deleted before the first of these calls: asked
  // for again and again, until it answers kGone. First what is recent goes to the tables, a part
  // with each commit. Then the tables are written anew, on a thread of their own, which takes as
  // long as to copy the store and needs as much room. After kGone the next call begins again.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: as Commit, or the disk is full
  absl::StatusOr<OldVersions> ForgetOldVersions();
  // What RocksDB holds in memory: memtables, and blocks of tables. 0 while the store is closed.
  // Thread-safe.
  uint64_t MemoryBytes() const;
  // Room on the disk for whoever is not root. nullopt: the system doesn't say. Thread-safe.
  std::optional<uint64_t> FreeBytes() const;

  // A file with tables that the store consists of now.
  struct TableFile {
    std::string path;
    // CRC-32C of all its bytes, 4 bytes big-endian. Empty: it was written before the store kept
    // them.
    std::string checksum;
  };
  absl::StatusOr<std::vector<TableFile>> TableFiles() const;
  // The id that the MANIFEST has of the store.
  absl::StatusOr<std::string> Identity() const;
  // NumbersOfStart of this start (registry/keys/keys.h), which is on the disk. Read-only: of the
  // last one.
  uint64_t numbers_after() const { return numbers_after_; }

 private:
  class Database;
  class Rewrite;

  RocksDbEngine(Options options, std::unique_ptr<DirectoryLock> lock);

  // The open database, opened again if it was closed and it is time to try.
  absl::StatusOr<Database*> Ready() const;

  const Options options_;
  const std::unique_ptr<DirectoryLock> lock_;
  void SetDatabase(std::shared_ptr<Database> database) const;

  // Null after a failed write. Reads may open it again, which changes nothing that they answer. A
  // checkpoint holds it, too: it is closed, and can be opened again, once that has ended.
  mutable std::shared_ptr<Database> database_;
  // Held where `database_` changes, and where another thread reads it.
  mutable absl::Mutex database_mutex_;
  mutable MonotonicTime next_attempt_;
  mutable absl::Status last_error_;
  // A disk that stays full fails once a second.
  mutable LogLimit failures_;
  uint64_t numbers_after_ = 0;
  // Of ForgetOldVersions, from when on nothing that is to be forgotten is recent. Ends before the
  // database.
  std::unique_ptr<Rewrite> rewrite_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_ENGINE_H_
