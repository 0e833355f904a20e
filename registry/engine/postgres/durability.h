#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_DURABILITY_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_DURABILITY_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::registry {

// What "durable" means for a store in PostgreSQL (--database_durability).
enum class DatabaseDurability {
  // On the primary's disk and on at least one synchronous standby's. The default.
  kStandby,
  // On the primary's disk, which is replicated itself: the operator's word for a managed database.
  kStorage,
  // On the primary's disk, or not even that with fsync = off: for trying out.
  kSingle,
};

// "standby", "storage" or "single"; nullopt for anything else.
std::optional<DatabaseDurability> ParseDatabaseDurability(absl::string_view text);

// Whether a commit is durable where synchronous_standby_names is `names`. The server has vouched
// for its syntax.
//   UNAVAILABLE REGISTRY_UNAVAILABLE: it names no standby, so that a commit has one copy; or "ANY",
//   with which a failover manager that knows nothing of it promotes a standby that lacks commits.
absl::Status CheckStandbyNames(DatabaseDurability durability, absl::string_view names);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_DURABILITY_H_
