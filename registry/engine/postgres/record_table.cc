#include "registry/engine/postgres/record_table.h"

#include "common/status_macros.h"

namespace bellwire::registry {
namespace {

constexpr absl::string_view kDoing = "reading from the database";

constexpr PgStatement kGet = {
    "get_record",
    "SELECT value FROM bellwire.records"
    " WHERE partition = $1::int2 AND family = $2::int2 AND key = $3::bytea"};

constexpr PgStatement kScanOne = {
    "scan_partition",
    "SELECT key, value FROM bellwire.records"
    " WHERE partition = $1::int2 AND family = $2::int2 AND key >= $3::bytea AND key < $4::bytea"
    " ORDER BY partition, family, key LIMIT $5::int8"};

constexpr PgStatement kScanAll = {
    "scan_partitions",
    "SELECT r.key, r.value FROM pg_catalog.generate_series(0, $1::int4) AS p,"
    " LATERAL (SELECT key, value FROM bellwire.records"
    "  WHERE partition = p::int2 AND family = $2::int2 AND key >= $3::bytea AND key < $4::bytea"
    "  ORDER BY partition, family, key LIMIT $5::int8) AS r"
    " ORDER BY r.key LIMIT $5::int8"};

PgValue FamilyValue(Family family) { return PgInt2(static_cast<int16_t>(family)); }

}  // namespace

absl::StatusOr<std::optional<std::string>> RecordTable::Get(Family family,
                                                            absl::string_view key) const {
  if (family == Family::kOutbox && outbox_is_empty_) return std::nullopt;
  ++reads_;
  const int partition = partitions_.Of(family, key);
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows rows,
      connection_.Ask(kGet,
                      {PgInt2(static_cast<int16_t>(partition)), FamilyValue(family), PgBytes(key)},
                      kReadTimeout, kDoing));
  if (rows.count() == 0) return std::nullopt;
  return std::string(rows.Bytes(0, 0));
}

absl::StatusOr<PgRows> RecordTable::ReadPage(Family family, absl::string_view from,
                                             absl::string_view to, int rows) const {
  ++reads_;
  const std::optional<int> partition = partitions_.OfRange(family, from, to);
  const PgValue where = partition.has_value() ? PgInt2(static_cast<int16_t>(*partition))
                                              : PgInt4(partitions_.shared());
  return connection_.Ask(partition.has_value() ? kScanOne : kScanAll,
                         {where, FamilyValue(family), PgBytes(from), PgBytes(to), PgInt8(rows)},
                         kReadTimeout, kDoing);
}

absl::Status RecordTable::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  if (from >= to || (family == Family::kOutbox && outbox_is_empty_)) return absl::OkStatus();
  std::string next(from);
  for (int page = kFirstPageRows;; page = kPageRows) {
    BELLWIRE_ASSIGN_OR_RETURN(const PgRows rows, ReadPage(family, next, to, page));
    for (int row = 0; row < rows.count(); ++row) {
      if (!visit(rows.Bytes(row, 0), rows.Bytes(row, 1))) return absl::OkStatus();
    }
    if (rows.count() < page) return absl::OkStatus();
    // After the last one.
    next = std::string(rows.Bytes(page - 1, 0)) + '\0';
  }
}

absl::Status RecordTable::LookAtOutbox() {
  outbox_is_empty_ = false;
  bool empty = true;
  BELLWIRE_RETURN_IF_ERROR(Scan(Family::kOutbox, "", std::string(64, '\xff'), [&](auto, auto) {
    empty = false;
    return false;
  }));
  outbox_is_empty_ = empty;
  return absl::OkStatus();
}

}  // namespace bellwire::registry
