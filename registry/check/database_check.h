#ifndef BELLWIRE_REGISTRY_CHECK_DATABASE_CHECK_H_
#define BELLWIRE_REGISTRY_CHECK_DATABASE_CHECK_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "registry/check/check.h"

namespace bellwire::registry {

struct DatabaseCheckOptions {
  // As PgConnection::Options::database.
  std::string database;
  // Not owned; outlives the check.
  const Clock* clock = nullptr;
};

struct DatabaseCheckReport {
  CheckReport records;
  // Those that were looked at.
  int partitions = 0;
  // Whether the records could be looked at at all.
  bool opened = false;
};

// Verifies the store in a database, and changes nothing in it: what its records say
// (registry/check/check.h), and that each lies in its partition. Registries go on meanwhile: each
// partition is looked at as of one moment, in a transaction of its own. Damage is no error but a
// problem of the report, which goes on with the next partition. The server looks at its files
// itself: pg_amcheck, and checksums.
//
// Memory: the records of one partition, but for the one of what is no device's, which is read
// through. `progress` is called after each partition: how many were done, of how many.
//
// Errors: it could not be checked. As PgConnection::Connect and ReadStoreInfo.
absl::StatusOr<DatabaseCheckReport> CheckDatabase(
    const DatabaseCheckOptions& options, absl::FunctionRef<void(int done, int of)> progress);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CHECK_DATABASE_CHECK_H_
