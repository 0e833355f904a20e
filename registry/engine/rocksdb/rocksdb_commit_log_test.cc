// The column family of the commit log keeps what every CommitLog promises, with every restart a
// real one: close and open again.

#include "registry/engine/rocksdb/rocksdb_commit_log.h"

#include <memory>
#include <optional>
#include <vector>

#include "common/testing/temp_dir.h"
#include "registry/engine/rocksdb/rocksdb_options.h"
#include "registry/engine/rocksdb/rocksdb_status.h"
#include "registry/testing/commit_log_contract.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"

namespace bellwire::registry {
namespace {

class RocksDbCommitLogUnderTest final : public CommitLogUnderTest {
 public:
  RocksDbCommitLogUnderTest() { Open(); }
  ~RocksDbCommitLogUnderTest() override { Close(); }

  CommitLog& log() override { return *log_; }
  absl::Status Commit() override {
    const absl::Status status = FromRocksDb(db_->Write(StoreWriteOptions(), &batch_), "writing");
    batch_.Clear();
    return status;
  }
  void Restart() override {
    Close();
    Open();
  }

 private:
  void Open() {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {rocksdb::kDefaultColumnFamilyName, options}, {"commits", options}};
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(
        rocksdb::DB::Open(options, directory_.path("store"), families, &handles_, &db).ok());
    db_.reset(db);
    log_.emplace(db, handles_[1], &batch_);
  }
  void Close() {
    log_.reset();
    batch_.Clear();
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      EXPECT_TRUE(db_->DestroyColumnFamilyHandle(handle).ok());
    }
    db_.reset();
  }

  TempDir directory_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::WriteBatch batch_{/*reserved_bytes=*/0, /*max_bytes=*/0,
                             StoreWriteOptions().protection_bytes_per_key,
                             /*default_cf_ts_sz=*/0};
  std::optional<RocksDbCommitLog> log_;
};

INSTANTIATE_TEST_SUITE_P(RocksDb, CommitLogContractTest, testing::Values([] {
                           return std::make_unique<RocksDbCommitLogUnderTest>();
                         }));

}  // namespace
}  // namespace bellwire::registry
