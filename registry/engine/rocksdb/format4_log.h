#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_FORMAT4_LOG_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_FORMAT4_LOG_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "registry/engine/kv_engine.h"
#include "rocksdb/file_system.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace bellwire::registry {

// The upgrade of stores of format 4 and nothing else: they kept the latest writes in blobs of
// RocksDB's log files, also of files that RocksDB believes dead. Later formats have a CommitLog.

// Reads these writes. Each batch in the logs of `directory` has RecentWrites' part in a blob that
// RocksDB passes by (storage.proto: LoggedWrites), and the tables' part in ordinary records. A key
// that the tables were told of is not recent any more. `family_of` knows the ids of RocksDB's
// column families.
//
//   DATA_LOSS STORE_CORRUPT: what is there can't be read, or a part of what is needed is missing
//   UNAVAILABLE REGISTRY_UNAVAILABLE: a file can't be read
absl::StatusOr<WriteSet> ReadFormat4Log(
    rocksdb::Env* env, const std::string& directory,
    absl::FunctionRef<std::optional<Family>(uint32_t column_family)> family_of);

// Files, of which RocksDB's logs stay until Release: opening a store makes RocksDB delete logs
// whose blobs may not have been read yet. A crash before Release leaves them for the next start.
// Thread-safe.
class LogHold final : public rocksdb::FileSystemWrapper {
 public:
  explicit LogHold(std::shared_ptr<rocksdb::FileSystem> files)
      : FileSystemWrapper(std::move(files)) {}
  const char* Name() const override { return "LogHold"; }

  // Deletes what was held back. From now on this does nothing.
  void Release();

  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  absl::Mutex mutex_;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_FORMAT4_LOG_H_
