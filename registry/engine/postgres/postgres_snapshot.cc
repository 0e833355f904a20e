#include "registry/engine/postgres/postgres_snapshot.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "registry/engine/logged_commit.h"
#include "registry/engine/merged_scan.h"
#include "registry/engine/postgres/commit_statement.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/engine/postgres/postgres_commit_log.h"

namespace bellwire::registry {
namespace {

constexpr absl::string_view kDoing = "reading from the database";
constexpr int kPageRows = 1024;
constexpr size_t kFamilies = static_cast<size_t>(Family::kTopics) + 1;

constexpr PgStatement kBegin = {"", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"};
constexpr PgStatement kEnd = {"", "COMMIT"};
constexpr PgStatement kNumbersAfter = {"", "SELECT numbers_after FROM bellwire.store"};
constexpr PgStatement kLogs = {
    "", "SELECT partition::int8, log_partition::int8, log_from FROM bellwire.leases"};
constexpr PgStatement kGet = {
    "snapshot_get",
    "SELECT value FROM bellwire.records"
    " WHERE partition = $1::int2 AND family = $2::int2 AND key = $3::bytea"};
constexpr PgStatement kScan = {
    "snapshot_scan",
    "SELECT key, value FROM bellwire.records"
    " WHERE partition = $1::int2 AND family = $2::int2 AND key >= $3::bytea AND key < $4::bytea"
    " ORDER BY partition, family, key LIMIT $5::int8"};

PgValue PartitionValue(int partition) { return PgInt2(static_cast<int16_t>(partition)); }
PgValue FamilyValue(Family family) { return PgInt2(static_cast<int16_t>(family)); }

// After every key.
std::string EndOfFamily() { return std::string(64, '\xff'); }

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresSnapshot>> PostgresSnapshot::Open(PgConnection* connection) {
  BELLWIRE_RETURN_IF_ERROR(connection->Ask(kBegin, {}, kReadTimeout, kDoing).status());
  absl::StatusOr<StoreInfo> info = ReadStoreInfo(connection);
  if (!info.ok()) {
    connection->Ask(kEnd, {}, kReadTimeout, kDoing).IgnoreError();
    return info.status();
  }
  std::unique_ptr<PostgresSnapshot> snapshot(new PostgresSnapshot(connection, *std::move(info)));
  BELLWIRE_RETURN_IF_ERROR(snapshot->ReadRecent());
  return snapshot;
}

PostgresSnapshot::~PostgresSnapshot() {
  if (!connection_.lost()) connection_.Ask(kEnd, {}, kReadTimeout, kDoing).IgnoreError();
}

absl::Status PostgresSnapshot::ReadRecent() {
  BELLWIRE_ASSIGN_OR_RETURN(owners_, ReadOwners(&connection_));
  BELLWIRE_ASSIGN_OR_RETURN(const PgRows numbers,
                            connection_.Ask(kNumbersAfter, {}, kReadTimeout, kDoing));
  if (numbers.count() != 1) return DatabaseFormatError("is missing");
  numbers_after_ = static_cast<uint64_t>(numbers.Int8(0, 0));
  BELLWIRE_ASSIGN_OR_RETURN(const PgRows logs, connection_.Ask(kLogs, {}, kReadTimeout, kDoing));
  // By partition: which log has the latest writes to it, and from which entry on.
  std::map<int, std::pair<int, int64_t>> log_of;
  std::set<int> all;
  for (int row = 0; row < logs.count(); ++row) {
    const int log = static_cast<int>(logs.Int8(row, 1));
    if (log == kNoLog) continue;
    log_of[static_cast<int>(logs.Int8(row, 0))] = {log, logs.Int8(row, 2)};
    all.insert(log);
  }
  // Of a log that is only read.
  CommitStatement unused;
  for (const int number : all) {
    const PostgresCommitLog log(&connection_, number, &unused);
    const auto is_latest = [&](uint64_t commit, Family family, absl::string_view key) {
      const auto it = log_of.find(partitions_.Of(family, key));
      return it != log_of.end() && it->second.first == number &&
             static_cast<int64_t>(commit) >= it->second.second;
    };
    BELLWIRE_ASSIGN_OR_RETURN(RecoveredWrites recovered, RecoverFrom(log, is_latest));
    for (auto& [key, change] : recovered.writes) {
      recent_[partitions_.Of(key.family, key.key)].insert_or_assign(key, std::move(change));
    }
  }
  return absl::OkStatus();
}

const WriteSet* PostgresSnapshot::RecentOf(int partition) const {
  const auto it = recent_.find(partition);
  return it == recent_.end() ? nullptr : &it->second;
}

absl::StatusOr<PgRows> PostgresSnapshot::ReadPage(int partition, Family family,
                                                  absl::string_view from,
                                                  absl::string_view to) const {
  return connection_.Ask(kScan,
                         {PartitionValue(partition), FamilyValue(family), PgBytes(from),
                          PgBytes(to), PgInt8(kPageRows)},
                         kReadTimeout, kDoing);
}

absl::StatusOr<std::optional<std::string>> PostgresSnapshot::ReadTable(
    int partition, Family family, absl::string_view key) const {
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows rows,
      connection_.Ask(kGet, {PartitionValue(partition), FamilyValue(family), PgBytes(key)},
                      kReadTimeout, kDoing));
  if (rows.count() == 0) return std::nullopt;
  return std::string(rows.Bytes(0, 0));
}

absl::Status PostgresSnapshot::Reader::Hold() {
  absl::btree_map<KvKey, std::string, KvKeyLess> records;
  for (size_t family = 0; family < kFamilies; ++family) {
    BELLWIRE_RETURN_IF_ERROR(
        ScanTable(partition_, static_cast<Family>(family), "", EndOfFamily(),
                  [&](absl::string_view key, absl::string_view value) {
                    records.emplace_hint(
                        records.end(), KvKey{static_cast<Family>(family), std::string(key)}, value);
                    return true;
                  }));
  }
  held_ = std::move(records);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> PostgresSnapshot::Reader::Get(
    Family family, absl::string_view key) const {
  const int partition = snapshot_.partitions_.Of(family, key);
  if (const WriteSet* recent = snapshot_.RecentOf(partition); recent != nullptr) {
    const auto it = recent->find(std::make_pair(family, key));
    if (it != recent->end()) return it->second.value;
  }
  if (!held_.has_value() || partition != partition_) {
    return snapshot_.ReadTable(partition, family, key);
  }
  const auto it = held_->find(std::make_pair(family, key));
  if (it == held_->end()) return std::nullopt;
  return it->second;
}

absl::Status PostgresSnapshot::Reader::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  if (from >= to) return absl::OkStatus();
  const std::optional<int> named =
      from.empty() ? std::nullopt : snapshot_.partitions_.OfRange(family, from, to);
  if (family == Family::kOutbox && outbox_ == Outbox::kAllInShared && !named.has_value()) {
    if (partition_ != snapshot_.partitions_.shared()) return absl::OkStatus();
    bool more = true;
    for (int partition = 0; more && partition <= snapshot_.partitions_.shared(); ++partition) {
      BELLWIRE_RETURN_IF_ERROR(ScanPartition(partition, family, from, to,
                                             [&](absl::string_view key, absl::string_view value) {
                                               more = visit(key, value);
                                               return more;
                                             }));
    }
    return absl::OkStatus();
  }
  return ScanPartition(named.value_or(partition_), family, from, to, visit);
}

absl::Status PostgresSnapshot::Reader::ScanPartition(
    int partition, Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  // The table alone, for MergedScan.
  class Table final : public KvReader {
   public:
    Table(const Reader* reader, int partition) : reader_(*reader), partition_(partition) {}
    absl::StatusOr<std::optional<std::string>> Get(Family f, absl::string_view key) const override {
      return reader_.Get(f, key);
    }
    absl::Status Scan(Family f, absl::string_view begin, absl::string_view end,
                      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
        const override {
      return reader_.ScanTable(partition_, f, begin, end, visit);
    }

   private:
    const Reader& reader_;
    const int partition_;
  };
  const WriteSet none;
  const WriteSet* recent = snapshot_.RecentOf(partition);
  if (recent == nullptr) recent = &none;
  auto next = recent->lower_bound(std::make_pair(family, from));
  const auto end = recent->lower_bound(std::make_pair(family, to));
  const auto next_change = [&]() -> std::optional<ChangedKey> {
    if (next == end) return std::nullopt;
    const ChangedKey change{next->first.key, &next->second.value};
    ++next;
    return change;
  };
  return MergedScan(Table(this, partition), family, from, to, next_change, visit);
}

absl::Status PostgresSnapshot::Reader::ScanTable(
    int partition, Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  if (held_.has_value() && partition == partition_) {
    const auto end = held_->lower_bound(std::make_pair(family, to));
    for (auto it = held_->lower_bound(std::make_pair(family, from)); it != end; ++it) {
      if (!visit(it->first.key, it->second)) break;
    }
    return absl::OkStatus();
  }
  std::string next(from);
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(const PgRows rows, snapshot_.ReadPage(partition, family, next, to));
    for (int row = 0; row < rows.count(); ++row) {
      if (!visit(rows.Bytes(row, 0), rows.Bytes(row, 1))) return absl::OkStatus();
    }
    if (rows.count() < kPageRows) return absl::OkStatus();
    // After the last one.
    next = absl::StrCat(rows.Bytes(kPageRows - 1, 0), absl::string_view("\0", 1));
  }
}

}  // namespace bellwire::registry
