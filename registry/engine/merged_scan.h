#ifndef BELLWIRE_REGISTRY_ENGINE_MERGED_SCAN_H_
#define BELLWIRE_REGISTRY_ENGINE_MERGED_SCAN_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// A key of the range that is scanned, and what it was changed to; nullopt: deleted.
struct ChangedKey {
  absl::string_view key;
  const std::optional<std::string>* value;
};

// KvReader::Scan over `below` as it is with some keys changed. `next_change` gives those in [from,
// to) in byte order, then nullopt; what it gave is looked at until it is called again.
absl::Status MergedScan(
    const KvReader& below, Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<std::optional<ChangedKey>()> next_change,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_MERGED_SCAN_H_
