#include "registry/transfer/store_target.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "registry/backup/file_copy.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/schema.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/keys/keys.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

namespace fs = std::filesystem;

using storage::v1::ExportRecord;
using storage::v1::ExportRecords;

absl::Status ExistsError(absl::string_view what) {
  return MakeError(absl::StatusCode::kAlreadyExists, "STORE_EXISTS", what);
}

// The feeds beside feed 0 (registry/keys/keys.h) of the records that go by.
class FeedsFound {
 public:
  // Whether the record says what the target says in its own way.
  bool Take(const ExportRecord& record) {
    const auto family = static_cast<Family>(record.family());
    if (family == Family::kNames && record.key() == FeedsKey()) {
      for (const char feed : record.value()) found_.insert(feed);
      return true;
    }
    uint32_t feed = 0;
    if (family == Family::kNames) feed = FeedOfNameKey(record.key());
    if (family == Family::kTeams || family == Family::kFeeds || family == Family::kTopics) {
      feed = FeedOfName(TeamOfKey(record.key()));
    }
    if (feed != 0) found_.insert(static_cast<char>(feed));
    return false;
  }
  // A byte each.
  const std::set<char>& found() const { return found_; }

 private:
  std::set<char> found_;
};

// --- RocksDB. ---

// Gives everything below to the owner of `like`: a server that is not root's must be able to use
// it.
absl::Status GiveTo(const std::string& like, const std::string& directory) {
  if (geteuid() != 0) return absl::OkStatus();
  struct stat owner {};
  if (stat(like.c_str(), &owner) != 0) {
    return StoreUnavailableError(absl::StrCat(like, ": ", strerror(errno)));
  }
  std::vector<std::string> paths = {directory};
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory, error)) {
    paths.push_back(entry.path());
  }
  for (const std::string& path : paths) {
    if (error || lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0) {
      return StoreUnavailableError(
          absl::StrCat(path, ": ", error ? error.message() : strerror(errno)));
    }
  }
  return absl::OkStatus();
}

class RocksDbTarget final : public StoreTarget {
 public:
  RocksDbTarget(std::string data_dir, std::string staging, std::unique_ptr<RocksDbEngine> engine)
      : data_dir_(std::move(data_dir)), staging_(std::move(staging)), engine_(std::move(engine)) {}

  ~RocksDbTarget() override {
    engine_ = nullptr;
    std::error_code ignored;
    fs::remove_all(staging_, ignored);
  }

  absl::Status Add(const ExportRecords& records) override {
    WriteSet writes;
    for (const ExportRecord& record : records.records()) {
      if (feeds_.Take(record)) continue;
      KvKey key{static_cast<Family>(record.family()), record.key()};
      if (!writes.try_emplace(std::move(key), record.value()).second) {
        return MakeError(absl::StatusCode::kDataLoss, "EXPORT_DAMAGED",
                         "the export has a record twice; nothing of it was imported");
      }
    }
    return engine_->Commit(writes);
  }

  absl::Status Finish() override {
    if (!feeds_.found().empty()) {
      WriteSet writes;
      writes.try_emplace(KvKey{Family::kNames, FeedsKey()},
                         std::string(feeds_.found().begin(), feeds_.found().end()));
      BELLWIRE_RETURN_IF_ERROR(engine_->Commit(writes));
    }
    engine_ = nullptr;
    BELLWIRE_RETURN_IF_ERROR(GiveTo(data_dir_, staging_));
    const absl::Status placed = RenameDurably(staging_, DataDir(data_dir_).registry());
    if (!placed.ok()) return StoreUnavailableError(placed.message());
    return absl::OkStatus();
  }

 private:
  const std::string data_dir_;
  const std::string staging_;
  std::unique_ptr<RocksDbEngine> engine_;
  FeedsFound feeds_;
};

// --- PostgreSQL. ---

constexpr absl::string_view kDoing = "importing into the database";
constexpr absl::Duration kStatementTimeout = absl::Seconds(60);
// A commit waits until the standby has all of it.
constexpr absl::Duration kFinishTimeout = absl::Minutes(10);

constexpr PgStatement kBegin = {"", "BEGIN"};
constexpr PgStatement kCommit = {"", "COMMIT"};
constexpr PgStatement kLockLeases = {
    "",
    "WITH locked AS MATERIALIZED ("
    "  SELECT l.owner, l.address FROM bellwire.leases l ORDER BY l.partition FOR UPDATE)"
    " SELECT address::text FROM locked WHERE owner <> 0 LIMIT 1"};
constexpr PgStatement kHasRecords = {"",
                                     "SELECT EXISTS (SELECT FROM bellwire.records)::int::int8,"
                                     " EXISTS (SELECT FROM bellwire.commit_log)::int::int8"};
constexpr PgStatement kInsert = {"import_records",
                                 "INSERT INTO bellwire.records (partition, family, key, value)"
                                 " SELECT w.partition, w.family, w.key, w.value"
                                 " FROM unnest($1::int2[], $2::int2[], $3::bytea[], $4::bytea[])"
                                 "  AS w (partition, family, key, value)"};
constexpr PgStatement kSetNumbers = {
    "", "UPDATE bellwire.store SET numbers_after = greatest(numbers_after, $1::int8)"};

// Feeds that have ever been somebody's have an epoch.
constexpr PgStatement kUseFeeds = {
    "",
    "UPDATE bellwire.leases SET epoch = greatest(epoch, 1) WHERE partition = ANY ($1::int2[])"};

class DatabaseTarget final : public StoreTarget {
 public:
  DatabaseTarget(std::unique_ptr<PgConnection> connection, StoreInfo info, uint64_t numbers_after)
      : connection_(std::move(connection)),
        partitions_(info.partitions, std::move(info.key)),
        numbers_after_(numbers_after) {}
  // Closing the connection rolls back.

  absl::Status Begin() {
    BELLWIRE_RETURN_IF_ERROR(Ask(kBegin).status());
    BELLWIRE_ASSIGN_OR_RETURN(const PgRows owner, Ask(kLockLeases));
    if (owner.count() > 0) {
      return MakeError(absl::StatusCode::kFailedPrecondition, "STORE_LOCKED",
                       absl::StrCat("the registry at ", owner.Bytes(0, 0),
                                    " owns the store in the database: stop it first"));
    }
    BELLWIRE_ASSIGN_OR_RETURN(const PgRows has, Ask(kHasRecords));
    if (has.Int8(0, 0) + has.Int8(0, 1) != 0) {
      return ExistsError(
          "the store in the database has records: name an empty one. `DROP SCHEMA bellwire "
          "CASCADE` and `bellwire fleet init` empty it");
    }
    return absl::OkStatus();
  }

  absl::Status Add(const ExportRecords& records) override {
    PgArray partitions(PgArray::Of::kInt2), families(PgArray::Of::kInt2);
    PgArray keys(PgArray::Of::kBytes), values(PgArray::Of::kBytes);
    for (const ExportRecord& record : records.records()) {
      if (feeds_.Take(record)) continue;
      const auto family = static_cast<Family>(record.family());
      partitions.Add(PgInt2(static_cast<int16_t>(partitions_.Of(family, record.key()))));
      families.Add(PgInt2(static_cast<int16_t>(family)));
      keys.AddBytes(record.key());
      values.AddBytes(record.value());
    }
    const PgQuery queries[] = {
        {&kInsert, {partitions.value(), families.value(), keys.value(), values.value()}}};
    const PgAnswer answer = connection_->Run(queries, kStatementTimeout, kDoing);
    if (answer.sqlstate == "23505") {
      return MakeError(absl::StatusCode::kDataLoss, "EXPORT_DAMAGED",
                       "the export has a record twice; nothing of it was imported");
    }
    return answer.status;
  }

  absl::Status Finish() override {
    PgArray feeds(PgArray::Of::kInt2);
    for (const char feed : feeds_.found()) {
      feeds.Add(PgInt2(static_cast<int16_t>(partitions_.OfFeed(static_cast<uint8_t>(feed)))));
    }
    if (!feeds_.found().empty()) {
      BELLWIRE_RETURN_IF_ERROR(Ask(kUseFeeds, {feeds.value()}).status());
    }
    BELLWIRE_RETURN_IF_ERROR(
        Ask(kSetNumbers, {PgInt8(static_cast<int64_t>(numbers_after_))}).status());
    const PgQuery queries[] = {{&kCommit, {}}};
    const PgAnswer answer = connection_->Run(queries, kFinishTimeout, kDoing);
    if (answer.end != PgAnswer::End::kUnknown) return answer.status;
    return StoreUnavailableError(absl::StrCat(
        answer.status.message(),
        ". Nobody knows yet whether the import is there: repeat it, and it is refused if it is"));
  }

 private:
  absl::StatusOr<PgRows> Ask(const PgStatement& statement, std::vector<PgValue> parameters = {}) {
    return connection_->Ask(statement, std::move(parameters), kStatementTimeout, kDoing);
  }

  const std::unique_ptr<PgConnection> connection_;
  const Partitions partitions_;
  const uint64_t numbers_after_;
  FeedsFound feeds_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<StoreTarget>> OpenRocksDbTarget(const std::string& data_dir,
                                                               uint64_t numbers_after,
                                                               const Clock* clock) {
  const std::string place = DataDir(data_dir).registry();
  const std::string staging = data_dir + "/import.unfinished";
  std::error_code error;
  if (fs::exists(place, error)) {
    return ExistsError(absl::StrCat("there is already ", place,
                                    ": nothing was changed; name a data directory without a store, "
                                    "or move it away"));
  }
  BELLWIRE_RETURN_IF_ERROR(MakeDirectory(data_dir));
  // Of an import that was killed.
  fs::remove_all(staging, error);
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<RocksDbEngine> engine,
                            RocksDbEngine::Open({.directory = staging,
                                                 .clock = clock,
                                                 .max_recent_writes_bytes = 0,
                                                 .numbers_before = numbers_after}));
  return std::make_unique<RocksDbTarget>(data_dir, staging, std::move(engine));
}

absl::StatusOr<std::unique_ptr<StoreTarget>> OpenDatabaseTarget(const std::string& database,
                                                                uint64_t numbers_after,
                                                                const Clock* clock) {
  BELLWIRE_ASSIGN_OR_RETURN(
      std::unique_ptr<PgConnection> connection,
      PgConnection::Connect(
          {.database = database, .name = "bellwire registry import", .clock = clock}));
  BELLWIRE_ASSIGN_OR_RETURN(StoreInfo info, ReadStoreInfo(connection.get()));
  auto target =
      std::make_unique<DatabaseTarget>(std::move(connection), std::move(info), numbers_after);
  BELLWIRE_RETURN_IF_ERROR(target->Begin());
  return target;
}

}  // namespace bellwire::registry
