#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_LOG_KEEPER_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_LOG_KEEPER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/file_system.h"

namespace bellwire::registry {

// Files, of which RocksDB's logs stay for longer than RocksDB itself needs them: it deletes a log when its tables have
// what it wrote there, and knows nothing of what lies there for RecentWrites. Such a deletion is put off until KeepFrom
// has allowed it and RocksDB deletes another file: in its background, for a log is large and who deletes it waits.
//
// Thread-safe: RocksDB deletes from threads of its own.
class LogKeeper final : public rocksdb::FileSystemWrapper {
 public:
  // Keeps all logs at first.
  explicit LogKeeper(std::shared_ptr<rocksdb::FileSystem> files)
      : FileSystemWrapper(std::move(files)) {}
  const char* Name() const override { return "LogKeeper"; }

  // The number of the log that was made last; 0: none was.
  uint64_t latest() const;

  // The logs before `number` may go. Never goes back. Deletes nothing itself.
  void KeepFrom(uint64_t number);

  // Deletes what was put off and may go now, the oldest first, so that a crash leaves no hole.
  void DeleteReleased();

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  mutable absl::Mutex mutex_;
  uint64_t latest_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t keep_from_ ABSL_GUARDED_BY(mutex_) = 0;
  // Number → path.
  std::map<uint64_t, std::string> put_off_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_LOG_KEEPER_H_
