#ifndef BELLWIRE_REGISTRY_ROCKSDB_OPTIONS_H_
#define BELLWIRE_REGISTRY_ROCKSDB_OPTIONS_H_

#include "rocksdb/options.h"

namespace bellwire::registry {

// How the store uses RocksDB, each option with its reason (rocksdb_options.cc).

// `env` outlives the database.
rocksdb::DBOptions StoreDbOptions(rocksdb::Env* env);
// The same for every column family: bounded memory, a filter for keys that aren't there.
rocksdb::ColumnFamilyOptions StoreColumnFamilyOptions();
rocksdb::ReadOptions StoreReadOptions();
// Synced.
rocksdb::WriteOptions StoreWriteOptions();

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ROCKSDB_OPTIONS_H_
