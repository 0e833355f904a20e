#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_SCHEMA_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_SCHEMA_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_connection.h"

// The tables of a store, in a schema of the database named "bellwire".
// docs/reference/postgres_store.md describes each column.
namespace bellwire::registry {

// Of the tables that this program makes and knows.
inline constexpr int kSchemaVersion = 2;

struct StoreInfo {
  int version = 0;
  // Of devices; one more is for what belongs to no device.
  int partitions = 0;
  // The key of Partitions.
  std::string key;
};

// Makes a store of `partitions` where the database has none, and brings an older one up to date.
// One transaction: all of it, or nothing. The store of this version stays as it is.
//   FAILED_PRECONDITION STORE_FORMAT: it is newer than this program.
//   UNAVAILABLE REGISTRY_UNAVAILABLE
absl::Status MakeStore(PgConnection* connection, int partitions = kDefaultPartitions);

// FAILED_PRECONDITION STORE_FORMAT: there is none, or it has another version.
absl::StatusOr<StoreInfo> ReadStoreInfo(PgConnection* connection);

// Answers NumbersOfStart of this start, once it is durable.
absl::StatusOr<uint64_t> NumberStart(PgConnection* connection, absl::Time start);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_SCHEMA_H_
