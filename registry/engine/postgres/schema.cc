#include "registry/engine/postgres/schema.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

constexpr absl::Duration kSchemaTimeout = absl::Seconds(60);
// Registries that start in the same moment.
constexpr int kMaxNumberAttempts = 100;

constexpr PgStatement kBegin = {"", "BEGIN"};
constexpr PgStatement kCommit = {"", "COMMIT"};
constexpr PgStatement kMakeSchema = {"", "CREATE SCHEMA IF NOT EXISTS bellwire"};
constexpr PgStatement kMakeStore = {
    "", "CREATE TABLE IF NOT EXISTS bellwire.store ("
        " one smallint PRIMARY KEY CHECK (one = 1),"
        " version integer NOT NULL,"
        " partitions integer NOT NULL,"
        " partition_key bytea NOT NULL,"
        " numbers_after bigint NOT NULL)"};
constexpr PgStatement kLock = {"", "LOCK TABLE bellwire.store IN ACCESS EXCLUSIVE MODE"};
constexpr PgStatement kInsertStore = {
    "", "INSERT INTO bellwire.store VALUES (1, 0, $1::int8, $2::bytea, 0) ON CONFLICT DO NOTHING"};
constexpr PgStatement kVersion = {"", "SELECT version::int8 FROM bellwire.store"};
constexpr PgStatement kSetVersion = {"", "UPDATE bellwire.store SET version = $1::int8"};
constexpr PgStatement kInfo = {
    "", "SELECT version::int8, partitions::int8, partition_key FROM bellwire.store"};
constexpr PgStatement kNumberStart = {
    "", "UPDATE bellwire.store SET numbers_after = $2::int8"
        " WHERE numbers_after = $1::int8 RETURNING numbers_after"};
constexpr PgStatement kNumbersAfter = {"", "SELECT numbers_after FROM bellwire.store"};

// What makes version 1 of version 0.
constexpr PgStatement kToVersion1[] = {
    {"", "CREATE TABLE bellwire.leases ("
         " partition smallint PRIMARY KEY,"
         " owner bigint NOT NULL,"
         " address text NOT NULL,"
         " epoch bigint NOT NULL,"
         " backend_pid integer NOT NULL,"
         " commit_no bigint NOT NULL) WITH (fillfactor = 50)"},
    {"", "INSERT INTO bellwire.leases SELECT p, 0, '', 0, 0, 0"
         " FROM pg_catalog.generate_series(0, (SELECT partitions FROM bellwire.store)) AS p"},
    {"", "CREATE TABLE bellwire.heartbeats ("
         " owner bigint PRIMARY KEY,"
         " counter bigint NOT NULL) WITH (fillfactor = 50)"},
    {"", "CREATE TABLE bellwire.records ("
         " partition smallint NOT NULL,"
         " family smallint NOT NULL,"
         " key bytea NOT NULL,"
         " value bytea NOT NULL,"
         " PRIMARY KEY (partition, family, key))"},
    {"", "CREATE TABLE bellwire.commit_log ("
         " partition smallint NOT NULL,"
         " commit_no bigint NOT NULL,"
         " entry bytea NOT NULL,"
         " PRIMARY KEY (partition, commit_no))"},
};

// Registries share a store: what makes version 2 of version 1.
constexpr PgStatement kToVersion2[] = {
    // Of commits that the table of records has not heard of: in which log they are, from which
    // entry on. The log of version 1 was that of the partition that belongs to no device.
    {"", "ALTER TABLE bellwire.leases ADD COLUMN log_partition smallint NOT NULL DEFAULT -1,"
         " ADD COLUMN log_from bigint NOT NULL DEFAULT 0,"
         " ADD COLUMN wanted_by bigint NOT NULL DEFAULT 0"},
    {"", "UPDATE bellwire.leases SET log_partition = (SELECT partitions FROM bellwire.store)"},
    // One for each feed but feed 0.
    {"", "INSERT INTO bellwire.leases (partition, owner, address, epoch, backend_pid, commit_no)"
         " SELECT s.partitions + n, 0, '', 0, 0, 0 FROM bellwire.store s,"
         " pg_catalog.generate_series(1, 31) AS n"},
    {"", "ALTER TABLE bellwire.heartbeats ADD COLUMN address text NOT NULL DEFAULT '',"
         " ADD COLUMN draining boolean NOT NULL DEFAULT false"},
};
static_assert(kMaxFeed == 31, "as many partitions are made");

struct Migration {
  int to_version;
  absl::Span<const PgStatement> statements;
};
// In order, without a gap. A migration that has been released is never changed.
constexpr Migration kMigrations[] = {{1, kToVersion1}, {2, kToVersion2}};
static_assert(kMigrations[std::size(kMigrations) - 1].to_version == kSchemaVersion);

absl::Status NewerError(int64_t version) {
  return DatabaseFormatError(absl::StrCat(
      "has version ", version, "; this program knows versions up to ", kSchemaVersion,
      ". Run the version of Bellwire that made it, or a later one."));
}

absl::Status Do(PgConnection* connection, const PgStatement& statement,
                std::vector<PgValue> parameters = {}) {
  return connection
      ->Ask(statement, std::move(parameters), kSchemaTimeout, "making the store in the database")
      .status();
}

absl::Status Migrate(PgConnection* connection, int partitions) {
  BELLWIRE_RETURN_IF_ERROR(Do(connection, kMakeSchema));
  BELLWIRE_RETURN_IF_ERROR(Do(connection, kMakeStore));
  BELLWIRE_RETURN_IF_ERROR(Do(connection, kLock));
  std::string key(kPartitionKeyBytes, '\0');
  FillRandom(key.data(), key.size());
  BELLWIRE_RETURN_IF_ERROR(
      Do(connection, kInsertStore, {PgInt8(partitions), PgBytes(key)}));
  BELLWIRE_ASSIGN_OR_RETURN(const PgRows rows, connection->Ask(kVersion, {}, kSchemaTimeout,
                                                               "making the store in the database"));
  const int64_t version = rows.Int8(0, 0);
  if (version > kSchemaVersion) return NewerError(version);
  for (const Migration& migration : kMigrations) {
    if (migration.to_version <= version) continue;
    for (const PgStatement& statement : migration.statements) {
      BELLWIRE_RETURN_IF_ERROR(Do(connection, statement));
    }
  }
  BELLWIRE_RETURN_IF_ERROR(Do(connection, kSetVersion, {PgInt8(kSchemaVersion)}));
  if (version != kSchemaVersion) {
    LogInfo("store_migrated", {{"from_version", version}, {"to_version", kSchemaVersion}});
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MakeStore(PgConnection* connection, int partitions) {
  if (partitions < 1 || partitions > kMaxPartitions) {
    return BadFieldError("partitions", absl::StrCat("1 to ", kMaxPartitions));
  }
  BELLWIRE_RETURN_IF_ERROR(Do(connection, kBegin));
  const absl::Status made = Migrate(connection, partitions);
  // After an error the server makes a ROLLBACK of it.
  const absl::Status ended = Do(connection, kCommit);
  return made.ok() ? ended : made;
}

absl::StatusOr<StoreInfo> ReadStoreInfo(PgConnection* connection) {
  const PgQuery queries[] = {{&kInfo, {}}};
  PgAnswer answer = connection->Run(queries, kSchemaTimeout, "reading the store's version");
  // No such schema, no such table, or nothing in it.
  if (answer.sqlstate == "3F000" || answer.sqlstate == "42P01" ||
      (answer.status.ok() && answer.rows[0].count() == 0)) {
    return DatabaseFormatError("is missing: `bellwire fleet init --database URL` makes one");
  }
  BELLWIRE_RETURN_IF_ERROR(answer.status);
  const PgRows& row = answer.rows[0];
  StoreInfo info = {.version = static_cast<int>(row.Int8(0, 0)),
                    .partitions = static_cast<int>(row.Int8(0, 1)),
                    .key = std::string(row.Bytes(0, 2))};
  if (info.version > kSchemaVersion) return NewerError(info.version);
  if (info.version < kSchemaVersion) {
    return DatabaseFormatError(absl::StrCat("has version ", info.version, "; this program needs ",
                                            kSchemaVersion,
                                            ": `bellwire fleet init` brings it up to date"));
  }
  if (info.partitions < 1 || info.partitions > kMaxPartitions) {
    return StoreCorruptError(absl::StrCat("it has ", info.partitions, " partitions"));
  }
  return info;
}

absl::StatusOr<uint64_t> NumberStart(PgConnection* connection, absl::Time start) {
  constexpr absl::string_view kDoing = "numbering this start";
  // Others may start at the same time: each gets a number of its own.
  for (int attempt = 0; attempt < kMaxNumberAttempts; ++attempt) {
    BELLWIRE_ASSIGN_OR_RETURN(const PgRows before,
                              connection->Ask(kNumbersAfter, {}, kSchemaTimeout, kDoing));
    if (before.count() != 1) return DatabaseFormatError("is missing");
    const int64_t last = before.Int8(0, 0);
    const uint64_t next = NumbersOfStart(start, static_cast<uint64_t>(last));
    BELLWIRE_ASSIGN_OR_RETURN(
        const PgRows done,
        connection->Ask(kNumberStart, {PgInt8(last), PgInt8(static_cast<int64_t>(next))},
                        kSchemaTimeout, kDoing));
    if (done.count() == 1) return next;
  }
  return StoreUnavailableError("too many registries start at once");
}

}  // namespace bellwire::registry
