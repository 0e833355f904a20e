#include "registry/engine/postgres/durability.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

// "ANY 1 (…)": a list may also begin with a standby whose name is any.
bool IsQuorum(absl::string_view names) {
  if (!absl::StartsWithIgnoreCase(names, "any")) return false;
  names.remove_prefix(3);
  const absl::string_view number = absl::StripLeadingAsciiWhitespace(names);
  return number.size() < names.size() && !number.empty() &&
         absl::ascii_isdigit(static_cast<unsigned char>(number.front()));
}

}  // namespace

std::optional<DatabaseDurability> ParseDatabaseDurability(absl::string_view text) {
  if (text == "standby") return DatabaseDurability::kStandby;
  if (text == "storage") return DatabaseDurability::kStorage;
  if (text == "single") return DatabaseDurability::kSingle;
  return std::nullopt;
}

absl::Status CheckStandbyNames(DatabaseDurability durability, absl::string_view names) {
  if (durability != DatabaseDurability::kStandby) return absl::OkStatus();
  names = absl::StripAsciiWhitespace(names);
  if (names.empty()) {
    return StoreUnavailableError(
        "synchronous_standby_names of the database is empty, so a commit has one copy: configure a "
        "synchronous standby, or say --database_durability=single or storage");
  }
  if (IsQuorum(names)) {
    return StoreUnavailableError(absl::StrCat(
        "synchronous_standby_names of the database is \"", PgOneLine(names),
        "\": after ANY a failover may promote a standby without the latest commits; use FIRST"));
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
