#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_OPTIONS_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_OPTIONS_H_

#include <memory>

#include "rocksdb/cache.h"
#include "rocksdb/options.h"

namespace bellwire::registry {

// How the store uses RocksDB, each option with its reason (rocksdb_options.cc).

// The cache of one open database, for all of its column families. Not kept when it is opened again:
// what was read before may not be what lies there now.
std::shared_ptr<rocksdb::Cache> NewStoreCache();
// `env` outlives the database. `cache` may be null: memtables are counted as part of it.
rocksdb::DBOptions StoreDbOptions(rocksdb::Env* env, const std::shared_ptr<rocksdb::Cache>& cache);
// The same for every column family: bounded memory, a filter for keys that aren't there.
rocksdb::ColumnFamilyOptions StoreColumnFamilyOptions(std::shared_ptr<rocksdb::Cache> cache);
// The same for the records of devices, whose keys begin with the device's id.
rocksdb::ColumnFamilyOptions DevicesFamilyOptions(const rocksdb::ColumnFamilyOptions& any_family);
// The same for lives, which are mostly asked for in vain.
rocksdb::ColumnFamilyOptions LivesFamilyOptions(const rocksdb::ColumnFamilyOptions& any_family);
// The same for the commit log, most of whose entries are deleted before their flush.
rocksdb::ColumnFamilyOptions CommitsFamilyOptions(const rocksdb::ColumnFamilyOptions& any_family);
rocksdb::ReadOptions StoreReadOptions();
// Synced.
rocksdb::WriteOptions StoreWriteOptions();

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_OPTIONS_H_
