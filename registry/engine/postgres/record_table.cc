#include "registry/engine/postgres/record_table.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"

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
    "SELECT r.key, r.value FROM unnest($1::int2[]) AS t (p),"
    " LATERAL (SELECT key, value FROM bellwire.records"
    "  WHERE partition = t.p AND family = $2::int2 AND key >= $3::bytea AND key < $4::bytea"
    "  ORDER BY partition, family, key LIMIT $5::int8) AS r"
    " ORDER BY r.key LIMIT $5::int8"};

// All rows of many devices, each up to the row that takes it beyond $5 bytes.
constexpr PgStatement kReadDevices = {
    "read_devices",
    "SELECT w.n::int8, f.family::int8, r.key, r.value"
    " FROM unnest($1::int2[], $2::bytea[], $3::bytea[]) WITH ORDINALITY"
    "  AS w (partition, first, last, n)"
    " CROSS JOIN unnest($6::int2[]) AS f (family)"
    " CROSS JOIN LATERAL ("
    "  SELECT d.key, d.value,"
    "   sum(octet_length(d.key) + octet_length(d.value)) OVER (ORDER BY d.key) AS bytes"
    "  FROM (SELECT key, value FROM bellwire.records"
    "   WHERE partition = w.partition AND family = f.family AND key >= w.first AND key < w.last"
    "   ORDER BY partition, family, key LIMIT $4::int8) AS d) AS r"
    " WHERE r.bytes - octet_length(r.key) - octet_length(r.value) <= $5::int8"};

// The families of DeviceReader.
constexpr Family kDeviceFamilies[] = {Family::kDevices, Family::kLives};
// A row's family is its place there.
static_assert(static_cast<int>(Family::kDevices) == 0 && static_cast<int>(Family::kLives) == 1);

PgValue AllPartitions(const Partitions& partitions) {
  PgArray all(PgArray::Of::kInt2);
  for (int p = 0; p < partitions.end(); ++p) all.Add(PgInt2(static_cast<int16_t>(p)));
  return all.value();
}

PgValue FamilyValue(Family family) { return PgInt2(static_cast<int16_t>(family)); }

}  // namespace

absl::StatusOr<PgRows> RecordTable::Read(const PgStatement& statement,
                                         std::vector<PgValue> parameters) const {
  const MonotonicTime began = clock_.Monotonic();
  absl::StatusOr<PgRows> rows =
      connection_.Ask(statement, std::move(parameters), kReadTimeout, kDoing);
  reads_.Observe(clock_.Monotonic() - began);
  return rows;
}

absl::StatusOr<std::optional<std::string>> RecordTable::Get(Family family,
                                                            absl::string_view key) const {
  if (family == Family::kOutbox && outbox_is_empty_) return std::nullopt;
  const int partition = partitions_.Of(family, key);
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows rows,
      Read(kGet, {PgInt2(static_cast<int16_t>(partition)), FamilyValue(family), PgBytes(key)}));
  if (rows.count() == 0) return std::nullopt;
  return std::string(rows.Bytes(0, 0));
}

absl::StatusOr<PgRows> RecordTable::ReadPage(Family family, absl::string_view from,
                                             absl::string_view to, int rows) const {
  const std::optional<int> partition = partitions_.OfRange(family, from, to);
  const bool of_owner = family == Family::kTimeline || family == Family::kOutbox;
  const PgValue where = partition.has_value() ? PgInt2(static_cast<int16_t>(*partition))
                        : of_owner            ? owned_
                                              : AllPartitions(partitions_);
  return Read(partition.has_value() ? kScanOne : kScanAll,
              {where, FamilyValue(family), PgBytes(from), PgBytes(to), PgInt8(rows)});
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

absl::StatusOr<PgRows> RecordTable::ReadRowsOf(absl::Span<const std::string> devices,
                                               size_t max_bytes) const {
  PgArray partitions(PgArray::Of::kInt2), families(PgArray::Of::kInt2);
  PgArray first(PgArray::Of::kBytes), last(PgArray::Of::kBytes);
  for (const std::string& device : devices) {
    partitions.Add(PgInt2(static_cast<int16_t>(partitions_.Of(Family::kDevices, device))));
    first.AddBytes(device);
    // After every key of the device, which is shorter or has a smaller byte.
    last.AddBytes(absl::StrCat(device, std::string(64, '\xff')));
  }
  for (const Family family : kDeviceFamilies) families.Add(FamilyValue(family));
  return Read(kReadDevices,
              {partitions.value(), first.value(), last.value(), PgInt8(kMaxDeviceRows + 1),
               PgInt8(static_cast<int64_t>(max_bytes)), families.value()});
}

absl::Status RecordTable::ReadDevices(
    absl::Span<const std::string> devices, size_t max_bytes,
    absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)> visit)
    const {
  for (; !devices.empty(); devices.remove_prefix(std::min(devices.size(), kMaxDevicesAtOnce))) {
    const absl::Span<const std::string> some = devices.subspan(0, kMaxDevicesAtOnce);
    BELLWIRE_ASSIGN_OR_RETURN(const PgRows rows, ReadRowsOf(some, max_bytes));
    struct Read {
      DeviceRecords records;
      size_t bytes = 0;
    };
    // By device, then by family.
    std::vector<Read> read(some.size() * std::size(kDeviceFamilies));
    for (int row = 0; row < rows.count(); ++row) {
      const auto device = static_cast<size_t>(rows.Int8(row, 0)) - 1;
      const auto family = static_cast<size_t>(rows.Int8(row, 1));
      if (device >= some.size() || family >= std::size(kDeviceFamilies)) {
        return StoreCorruptError("the database answers something else than it was asked");
      }
      Read& of = read[device * std::size(kDeviceFamilies) + family];
      of.bytes += rows.Bytes(row, 2).size() + rows.Bytes(row, 3).size();
      of.records.records.emplace(rows.Bytes(row, 2), rows.Bytes(row, 3));
    }
    for (size_t i = 0; i < read.size(); ++i) {
      DeviceRecords& records = read[i].records;
      records.complete =
          read[i].bytes <= max_bytes && records.records.size() <= size_t{kMaxDeviceRows};
      visit(kDeviceFamilies[i % std::size(kDeviceFamilies)],
            some[i / std::size(kDeviceFamilies)], std::move(records));
    }
  }
  return absl::OkStatus();
}

void RecordTable::SetOwned(const std::vector<int16_t>& owned) {
  PgArray array(PgArray::Of::kInt2);
  for (const int16_t partition : owned) array.Add(PgInt2(partition));
  owned_ = array.value();
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
