#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_COMMIT_LOG_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_COMMIT_LOG_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "registry/engine/commit_log.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace bellwire::registry {

// The CommitLog of RocksDbEngine: an ordinary record each in a column family of its own, under the
// number of the commit as 8 bytes big-endian. An entry is written once and deleted once, so most of
// them never leave the memtable: RocksDB's flush drops both.
class RocksDbCommitLog final : public CommitLog {
 public:
  // Entries and their removals go into `batch`, whose write is the commit. None is owned; all
  // outlive this.
  RocksDbCommitLog(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family, rocksdb::WriteBatch* batch)
      : db_(*db), family_(family), batch_(*batch) {}

  void Append(uint64_t commit, absl::string_view entry) override;
  void TrimTo(uint64_t commit) override;
  absl::Status ReadFrom(
      uint64_t commit,
      absl::FunctionRef<absl::Status(uint64_t commit, absl::string_view entry)> visit)
      const override;

 private:
  rocksdb::DB& db_;
  rocksdb::ColumnFamilyHandle* const family_;
  rocksdb::WriteBatch& batch_;
  // No entry before it exists. ReadFrom(0) finds it, Append and TrimTo go on from there.
  mutable uint64_t first_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_COMMIT_LOG_H_
