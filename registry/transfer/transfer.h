#ifndef BELLWIRE_REGISTRY_TRANSFER_TRANSFER_H_
#define BELLWIRE_REGISTRY_TRANSFER_TRANSFER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "registry/transfer/store_source.h"
#include "registry/transfer/store_target.h"

namespace bellwire::registry {

// What was moved.
struct Transferred {
  uint64_t records = 0;
  // Of the stream: the same for the export and its import.
  std::string fingerprint;
};

// Writes all records of a store as one stream. `progress` is called now and then with the number of
// records so far. Errors: those of the source and of `write`.
absl::StatusOr<Transferred> ExportStore(const StoreSource& source, absl::Time now,
                                        std::function<absl::Status(absl::string_view)> write,
                                        absl::FunctionRef<void(uint64_t records)> progress);

// Reads a stream into a target that `open_target` opens for it, and puts that in place once the
// stream has proved to be whole. After an error nothing is in place, but for an unknown commit (see
// StoreTarget::Finish). Errors: those of ExportReader, `read` and the target.
absl::StatusOr<Transferred> ImportStore(
    std::function<absl::StatusOr<size_t>(absl::Span<char>)> read,
    absl::FunctionRef<absl::StatusOr<std::unique_ptr<StoreTarget>>(uint64_t numbers_after)>
        open_target,
    absl::FunctionRef<void(uint64_t records)> progress);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TRANSFER_TRANSFER_H_
