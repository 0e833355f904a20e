#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_RECENT_LOG_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_RECENT_LOG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "registry/engine/kv_engine.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace bellwire::registry {

// What was in RecentWrites when the store was closed, or its process died.
struct RecoveredWrites {
  WriteSet writes;
  // Number of the last commit that logged some; 0: there is none.
  uint64_t last_commit = 0;
};

// Reads it from RocksDB's logs in `directory`: each of its batches tells RecentWrites' part in a blob that RocksDB
// passes by (storage.proto: LoggedWrites), and the tables' in ordinary records; a key that the tables were told of
// is not recent any more. `family_of` knows the ids of RocksDB's column families.
//
//   DATA_LOSS STORE_CORRUPT: what is there can't be read, or a part of what is needed is missing
//   UNAVAILABLE REGISTRY_UNAVAILABLE: a file can't be read
absl::StatusOr<RecoveredWrites> RecoverRecentWrites(
    rocksdb::Env* env, const std::string& directory,
    absl::FunctionRef<std::optional<Family>(uint32_t column_family)> family_of);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_RECENT_LOG_H_
