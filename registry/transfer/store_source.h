#ifndef BELLWIRE_REGISTRY_TRANSFER_STORE_SOURCE_H_
#define BELLWIRE_REGISTRY_TRANSFER_STORE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// A store whose records are read once, as of one moment. Not thread-safe.
class StoreSource {
 public:
  virtual ~StoreSource() = default;

  // As of the store's last start: RocksDbEngine::numbers_after.
  virtual uint64_t numbers_after() const = 0;
  // Visits every record once, in whatever order, until `visit` fails. Errors: those of KvEngine and
  // of `visit`.
  virtual absl::Status ForEach(
      absl::FunctionRef<absl::Status(Family family, absl::string_view key, absl::string_view value)>
          visit) const = 0;
};

// The store in a directory such as DATA_DIR/registry, which no server uses. Changes nothing there.
//   FAILED_PRECONDITION STORE_LOCKED, STORE_FORMAT · DATA_LOSS STORE_CORRUPT · UNAVAILABLE
absl::StatusOr<std::unique_ptr<StoreSource>> OpenRocksDbSource(const std::string& directory);

// The store in a database of PostgreSQL. Unless `online`, no registry may own it: what is written
// later would be missing. Errors as PgConnection::Connect and PostgresSnapshot::Open, and
//   FAILED_PRECONDITION STORE_LOCKED: a registry owns partitions.
// `clock` is not owned, and outlives the source.
absl::StatusOr<std::unique_ptr<StoreSource>> OpenDatabaseSource(const std::string& database,
                                                                bool online, const Clock* clock);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TRANSFER_STORE_SOURCE_H_
