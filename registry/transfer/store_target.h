#ifndef BELLWIRE_REGISTRY_TRANSFER_STORE_TARGET_H_
#define BELLWIRE_REGISTRY_TRANSFER_STORE_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwire/storage/v1/export.pb.h"
#include "common/clock.h"

namespace bellwire::registry {

// A store that is filled and then put in place as a whole: before Finish nobody sees anything of
// it, and a target that is destroyed without Finish leaves nothing. Not thread-safe.
class StoreTarget {
 public:
  virtual ~StoreTarget() = default;

  // REQUIRES: each key comes once, in all calls together.
  //   DATA_LOSS EXPORT_DAMAGED: one did not, if the target notices.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE
  virtual absl::Status Add(const storage::v1::ExportRecords& records) = 0;
  // Puts the store in place, durably. Once.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: it is not in place; or nobody knows, which the message
  //   says.
  virtual absl::Status Finish() = 0;
};

// DATA_DIR/registry, in a data directory without a store. `numbers_after`: of the export.
//   ALREADY_EXISTS STORE_EXISTS: there is one, even if it is empty
//   UNAVAILABLE FILE_NOT_WRITTEN, REGISTRY_UNAVAILABLE
absl::StatusOr<std::unique_ptr<StoreTarget>> OpenRocksDbTarget(const std::string& data_dir,
                                                               uint64_t numbers_after,
                                                               const Clock* clock);

// A store without a record, made by `bellwire fleet init`. All of it is one transaction, which
// holds every lease, so that no registry takes the store meanwhile.
//   FAILED_PRECONDITION STORE_FORMAT, STORE_LOCKED: a registry owns it
//   ALREADY_EXISTS STORE_EXISTS: it has records
absl::StatusOr<std::unique_ptr<StoreTarget>> OpenDatabaseTarget(const std::string& database,
                                                                uint64_t numbers_after,
                                                                const Clock* clock);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TRANSFER_STORE_TARGET_H_
