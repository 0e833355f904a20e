#include "registry/engine/rocksdb/rocksdb_options.h"

#include <memory>
#include <utility>

#include "common/ids.h"
#include "rocksdb/file_checksum.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"
#include "rocksdb/write_buffer_manager.h"

namespace bellwire::registry {
namespace {

constexpr size_t kMiB = 1024 * 1024;

// Of all families together. What is written over while it lies in a memtable never reaches a table,
// and each flush adds a table that must be merged: with 256 MiB instead of 64 an Append to a full
// store takes a third less CPU time.
constexpr size_t kMemtableBytes = 256 * kMiB;

}  // namespace

rocksdb::DBOptions StoreDbOptions(rocksdb::Env* env, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;

  // What was written after the last sync may be torn by a crash: an incomplete last record is
  // dropped, and nobody was told that it is there. Everything before it was synced, so anything
  // wrong there is damage. RocksDB's default (kPointInTimeRecovery) would silently drop all that
  // follows it, which was answered OK; kAbsoluteConsistency would refuse to start after any kill
  // -9. This mode refuses damage and takes a torn end; the damage that looks to it like a torn end,
  // registry/engine/rocksdb/log_check.h finds before.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // Notices a log file that has gone as a whole.
  options.track_and_verify_wals_in_manifest = true;
  // Of every byte of a table, not only of its blocks: `bellwire registry check` compares. The
  // MANIFEST keeps them, and the store's own id, of which the file IDENTITY is only a copy without
  // checksum.
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  options.write_dbid_to_manifest = true;
  // Errors found in the background stop writes instead of being passed by.
  options.paranoid_checks = true;
  // There is one way to recover from a failed write: RocksDbEngine closes and opens again.
  options.max_bgerror_resume_count = 0;

  // Bounds the replay at a start (a few seconds).
  options.max_total_wal_size = 512 * kMiB;
  // Memtables are counted as part of the cache: they make it smaller while much is written.
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(kMemtableBytes, cache);
  // The log has everything: a stop needs no flush.
  options.avoid_flush_during_shutdown = true;
  // One for flushes, one for compactions: the machine's other threads serve.
  options.max_background_jobs = 2;
  // `bellwire serve` needs its descriptors for devices.
  options.max_open_files = 512;
  // Smooths the writing back of flushes and compactions, so that a sync of the log does not wait
  // behind hundreds of megabytes of theirs.
  options.bytes_per_sync = kMiB;
  return options;
}

// What is read over and over is the records of the devices that are active now, and the filters,
// with ten bits for each record of the store: an Append that finds one missing waits for the disk.
std::shared_ptr<rocksdb::Cache> NewStoreCache() {
  return rocksdb::NewLRUCache(kMemtableBytes + 128 * kMiB);
}

rocksdb::ColumnFamilyOptions StoreColumnFamilyOptions(std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  // A message id of a caller's making is looked for, and new: the filter answers that without
  // reading a block. Ten bits a key: one in a hundred reads one for nothing.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  // Filters and indexes within the cache, so that memory is bounded however large the store grows,
  // and in parts of a block's size: whole ones are as large as their table is long, and once they
  // don't all fit into the cache each look-up reads one (RocksDB's wiki, "Partitioned Index
  // Filters").
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Half of all, so that one is filled while another is flushed.
  options.write_buffer_size = kMemtableBytes / 2;
  options.level_compaction_dynamic_level_bytes = true;
  // Merged once it is as large as the level below it: RocksDB's wiki, "Leveled Compaction".
  options.level0_file_num_compaction_trigger = 8;
  options.max_bytes_for_level_base = 8 * options.write_buffer_size;
  // A table that was just written is read back before the log that it came from is given up.
  options.paranoid_file_checks = true;
  // A bit that flips in memory, between a write and its flush, is noticed.
  options.memtable_protection_bytes_per_key = 8;
  return options;
}

rocksdb::ColumnFamilyOptions DevicesFamilyOptions(const rocksdb::ColumnFamilyOptions& any_family) {
  rocksdb::ColumnFamilyOptions options = any_family;
  // One operation writes several records of one device, and the next one the same again: their
  // place in the memtable is remembered by device instead of being searched for each. 250 bytes a
  // device in a memtable.
  options.memtable_insert_with_hint_prefix_extractor.reset(
      rocksdb::NewFixedPrefixTransform(DeviceId::kSize));
  return options;
}

rocksdb::ColumnFamilyOptions LivesFamilyOptions(const rocksdb::ColumnFamilyOptions& any_family) {
  rocksdb::ColumnFamilyOptions options = any_family;
  // Whether a message id is new needs no search in the memtables either: 1.6 MiB each.
  options.memtable_prefix_bloom_size_ratio = 0.0125;
  options.memtable_whole_key_filtering = true;
  return options;
}

rocksdb::ColumnFamilyOptions CommitsFamilyOptions(const rocksdb::ColumnFamilyOptions& any_family) {
  rocksdb::ColumnFamilyOptions options = any_family;
  // Several times what is needed of the log (kMaxRecentWritesBytes): the rest of a memtable was
  // written and deleted, and its flush drops both.
  options.write_buffer_size = 64 * kMiB;
  return options;
}

rocksdb::ReadOptions StoreReadOptions() {
  rocksdb::ReadOptions options;
  // Every block that comes from disk.
  options.verify_checksums = true;
  return options;
}

rocksdb::WriteOptions StoreWriteOptions() {
  rocksdb::WriteOptions options;
  // OK means durable.
  options.sync = true;
  // Carries a checksum per key from the batch into the memtable.
  options.protection_bytes_per_key = 8;
  return options;
}

}  // namespace bellwire::registry
