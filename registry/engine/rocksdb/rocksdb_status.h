#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_STATUS_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_STATUS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rocksdb {
class Status;
}  // namespace rocksdb

namespace bellwire::registry {

// RocksDB's status is easy to drop, so every one is converted where it comes up, and only here:
// Corruption becomes DATA_LOSS STORE_CORRUPT, all else UNAVAILABLE REGISTRY_UNAVAILABLE. NotFound
// is for the caller to ask about first. `doing` says what was tried, for the message.
absl::Status FromRocksDb(const rocksdb::Status& status, absl::string_view doing);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_STATUS_H_
