#include "registry/engine/merged_scan.h"

#include "common/status_macros.h"

namespace bellwire::registry {

absl::Status MergedScan(
    const KvReader& below, Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<std::optional<ChangedKey>()> next_change,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) {
  bool go_on = true;
  std::optional<ChangedKey> change = next_change();
  const auto visit_change = [&] {
    if (change->value->has_value()) go_on = visit(change->key, **change->value);
    change = next_change();
  };
  BELLWIRE_RETURN_IF_ERROR(
      below.Scan(family, from, to, [&](absl::string_view key, absl::string_view value) {
        while (go_on && change.has_value() && change->key < key) visit_change();
        if (!go_on) return false;
        if (change.has_value() && change->key == key) {
          visit_change();
        } else {
          go_on = visit(key, value);
        }
        return go_on;
      }));
  while (go_on && change.has_value()) visit_change();
  return absl::OkStatus();
}

}  // namespace bellwire::registry
