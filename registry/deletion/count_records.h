#ifndef BELLWIRE_REGISTRY_DELETION_COUNT_RECORDS_H_
#define BELLWIRE_REGISTRY_DELETION_COUNT_RECORDS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// A part of what the store has about a team or an app: at most about a thousand records are read,
// and the lives of the devices among them. `feeds`: all that a team has (registry/keys/feeds.h).
//   NOT_FOUND TEAM_NOT_FOUND, UNKNOWN_APP · INVALID_ARGUMENT BAD_CURSOR · as KvReader
absl::StatusOr<internal::v1::CountRecordsResponse> CountRecords(
    const KvReader& store, const internal::v1::CountRecordsRequest& request,
    const std::vector<uint32_t>& feeds = {0});

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DELETION_COUNT_RECORDS_H_
