#include "registry/transfer/store_source.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/postgres_snapshot.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"

namespace bellwire::registry {
namespace {

constexpr size_t kFamilies = static_cast<size_t>(Family::kTopics) + 1;

using Visit =
    absl::FunctionRef<absl::Status(Family family, absl::string_view key, absl::string_view value)>;

// Every record that `reader` finds in scans of whole families.
absl::Status VisitAll(const KvReader& reader, Visit visit) {
  for (size_t f = 0; f < kFamilies; ++f) {
    const auto family = static_cast<Family>(f);
    absl::Status visited;
    BELLWIRE_RETURN_IF_ERROR(reader.Scan(family, "", std::string(64, '\xff'),
                                         [&](absl::string_view key, absl::string_view value) {
                                           visited = visit(family, key, value);
                                           return visited.ok();
                                         }));
    BELLWIRE_RETURN_IF_ERROR(visited);
  }
  return absl::OkStatus();
}

class RocksDbSource final : public StoreSource {
 public:
  explicit RocksDbSource(std::unique_ptr<RocksDbEngine> engine) : engine_(std::move(engine)) {}
  uint64_t numbers_after() const override { return engine_->numbers_after(); }
  absl::Status ForEach(Visit visit) const override { return VisitAll(*engine_, visit); }

 private:
  const std::unique_ptr<RocksDbEngine> engine_;
};

class DatabaseSource final : public StoreSource {
 public:
  DatabaseSource(std::unique_ptr<PgConnection> connection,
                 std::unique_ptr<PostgresSnapshot> snapshot)
      : connection_(std::move(connection)), snapshot_(std::move(snapshot)) {}
  uint64_t numbers_after() const override { return snapshot_->numbers_after(); }
  absl::Status ForEach(Visit visit) const override {
    const int shared = snapshot_->partitions().shared();
    for (int p = 0; p < snapshot_->partitions().end(); ++p) {
      const PostgresSnapshot::Reader partition(snapshot_.get(), p,
                                               PostgresSnapshot::Reader::Outbox::kOwn);
      const auto visit_some = [&](Family family, absl::string_view key, absl::string_view value) {
        // Each registry has heard of networks for itself: the next ones hear of them again.
        if (p > shared && family == Family::kNames && absl::StartsWith(key, "N")) {
          return absl::OkStatus();
        }
        return visit(family, key, value);
      };
      BELLWIRE_RETURN_IF_ERROR(VisitAll(partition, visit_some));
    }
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<PgConnection> connection_;
  // Goes first: it ends its transaction.
  const std::unique_ptr<PostgresSnapshot> snapshot_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<StoreSource>> OpenRocksDbSource(const std::string& directory) {
  BELLWIRE_ASSIGN_OR_RETURN(
      std::unique_ptr<RocksDbEngine> engine,
      RocksDbEngine::Open({.directory = directory, .clock = RealClock(), .read_only = true}));
  return std::make_unique<RocksDbSource>(std::move(engine));
}

absl::StatusOr<std::unique_ptr<StoreSource>> OpenDatabaseSource(const std::string& database,
                                                                bool online, const Clock* clock) {
  BELLWIRE_ASSIGN_OR_RETURN(
      std::unique_ptr<PgConnection> connection,
      PgConnection::Connect(
          {.database = database, .name = "bellwire registry export", .clock = clock}));
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PostgresSnapshot> snapshot,
                            PostgresSnapshot::Open(connection.get()));
  for (const LeaseOwner& owner : snapshot->owners()) {
    if (online || owner.id == kNoOwner) continue;
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "STORE_LOCKED",
        absl::StrCat("the registry at ", owner.address,
                     " owns the store in the database: stop all registries first, or "
                     "give --online for a copy that lacks what is written from now on"));
  }
  return std::make_unique<DatabaseSource>(std::move(connection), std::move(snapshot));
}

}  // namespace bellwire::registry
