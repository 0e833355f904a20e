#ifndef BELLWIRE_REGISTRY_SEALING_SEALED_READER_H_
#define BELLWIRE_REGISTRY_SEALING_SEALED_READER_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"
#include "registry/sealing/record_seal.h"

namespace bellwire::registry {

// What lies below, with the records that hold payloads opened. Errors: as KvReader, and those of
// RecordSeal::Open.
//
// Not thread-safe.
class SealedReader final : public KvReader {
 public:
  enum class Unreadable {
    // Answered as an error: nobody is served what was not sealed here.
    kError,
    // Answered as it lies there: for a check, which goes on and names it.
    kAsItIs,
  };

  // Both outlive it.
  SealedReader(const KvReader* below, RecordSeal* seal, Unreadable unreadable)
      : below_(below), seal_(seal), unreadable_(unreadable) {}

  // Whether a record that is in the clear is answered: those from before the first key may be.
  // Where none should be left, one that is has been put there by somebody else.
  void SetClearAllowed(bool allowed) { clear_allowed_ = allowed; }

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;

 private:
  // `value`, opened into `storage` where it is sealed.
  absl::StatusOr<absl::string_view> Open(Family family, absl::string_view key,
                                         absl::string_view value, std::string* storage) const;

  const KvReader* const below_;
  RecordSeal* const seal_;
  const Unreadable unreadable_;
  bool clear_allowed_ = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SEALING_SEALED_READER_H_
