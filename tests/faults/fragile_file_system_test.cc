// A raw RocksDB on a fragile disk: the model must keep what RocksDB may rely on, and lose the rest.

#include "tests/faults/fragile_file_system.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/engine/rocksdb/rocksdb_log.h"
#include "rocksdb/db.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

class FragileFileSystemTest : public testing::Test {
 protected:
  // Opens the database on a disk of its own; returns what RocksDB says.
  rocksdb::Status PowerOn(uint64_t seed) {
    db_.reset();
    env_.reset();
    disk_ =
        std::make_unique<FragileDisk>(FragileDisk::Options{.root = dir_.path("db"), .seed = seed});
    env_ = NewFragileEnv(disk_.get());
    rocksdb::Options options;
    options.env = env_.get();
    options.create_if_missing = true;
    options.info_log = std::make_shared<registry::RocksDbLog>(/*clock=*/nullptr);
    options.write_buffer_size = 64 * 1024;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    options.track_and_verify_wals_in_manifest = true;
    // Closing must touch nothing: the power is off by then.
    options.avoid_flush_during_shutdown = true;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, disk_->root(), &db);
    db_.reset(db);
    return status;
  }
  rocksdb::Status Put(int key, bool sync) {
    rocksdb::WriteOptions options;
    options.sync = sync;
    return db_->Put(options, absl::StrCat(key), std::string(300, 'v'));
  }
  bool Has(int key) {
    std::string value;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), absl::StrCat(key), &value);
    EXPECT_TRUE(status.ok() || status.IsNotFound()) << status.ToString();
    return status.ok() && value == std::string(300, 'v');
  }

  TempDir dir_;
  std::unique_ptr<FragileDisk> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
};

TEST_F(FragileFileSystemTest, SyncedWritesSurviveAndUnsyncedOnesAreLost) {
  constexpr int kSynced = 300, kUnsynced = 20;
  int unsynced_lost = 0, unsynced_kept = 0, next = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const rocksdb::Status opened = PowerOn(seed);
    ASSERT_TRUE(opened.ok()) << "seed " << seed << ": " << opened.ToString();
    // Enough for flushes, so that table files, the MANIFEST and several logs take part.
    for (int i = 0; i < kSynced; ++i) ASSERT_TRUE(Put(next++, /*sync=*/true).ok());
    const int durable = next;
    for (int i = 0; i < kUnsynced; ++i) ASSERT_TRUE(Put(next++, /*sync=*/false).ok());
    EXPECT_TRUE(Has(next - 1));
    disk_->CutPower();
    const rocksdb::Status status = PowerOn(seed + 1000);
    ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status.ToString();
    for (int key = 0; key < durable; ++key) {
      if (key % (kSynced + kUnsynced) >= kSynced) continue;  // Not synced, in an earlier round.
      ASSERT_TRUE(Has(key)) << "seed " << seed << " lost " << key;
    }
    bool hole = false;
    for (int key = durable; key < next; ++key) {
      const bool kept = Has(key);
      EXPECT_FALSE(kept && hole) << "a later write survived an earlier one";
      hole |= !kept;
      ++(kept ? unsynced_kept : unsynced_lost);
    }
  }
  EXPECT_GT(unsynced_lost, 0);
  EXPECT_GT(unsynced_kept, 0);
}

TEST_F(FragileFileSystemTest, ACleanCloseAndReopen) {
  ASSERT_TRUE(PowerOn(1).ok());
  for (int key = 0; key < 500; ++key) ASSERT_TRUE(Put(key, /*sync=*/key == 499).ok());
  ASSERT_TRUE(PowerOn(2).ok());
  for (int key = 0; key < 500; ++key) EXPECT_TRUE(Has(key)) << key;
}

TEST_F(FragileFileSystemTest, AFullDiskFailsTheWrite) {
  ASSERT_TRUE(PowerOn(1).ok());
  ASSERT_TRUE(Put(1, /*sync=*/true).ok());
  disk_->SetFreeBytes(10);
  EXPECT_TRUE(Put(2, /*sync=*/true).IsNoSpace());
}

TEST_F(FragileFileSystemTest, AFailedReadIsAnError) {
  ASSERT_TRUE(PowerOn(1).ok());
  ASSERT_TRUE(Put(1, /*sync=*/true).ok());
  ASSERT_TRUE(db_->Flush(rocksdb::FlushOptions()).ok());
  disk_->SetFailingReads(true);
  std::string value;
  EXPECT_TRUE(db_->Get(rocksdb::ReadOptions(), "1", &value).IsIOError());
}

}  // namespace
}  // namespace bellwire::tests
