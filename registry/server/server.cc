#include "registry/server/server.h"

#include <cstdint>
#include <functional>
#include <utility>

#include "common/error.h"
#include "absl/synchronization/notification.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "registry/backup/backup_maker.h"
#include "registry/engine/device_cache.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/record_cache.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/group_commit.h"
#include "registry/server/kv_store.h"
#include "registry/server/service.h"
#include "registry/server/writer_thread.h"

namespace bellwire::registry {
namespace {

// The lives of messages that came to their device and whose end is awaited: some 300 bytes each.
constexpr size_t kLivesCacheBytes = 16 * 1024 * 1024;

// Declared in the order of need: the writer thread stops first, the store closes last.
class RegistryServerImpl final : public RegistryServer {
 public:
  // What differs between engines.
  struct Beneath {
    uint64_t numbers_after = 0;
    std::function<absl::Status()> confirm;
    std::function<absl::Status(const std::string& directory)> checkpoint;
  };

  RegistryServerImpl(std::unique_ptr<KvEngine> engine, Beneath beneath, Options options)
      : store_(std::move(engine),
               {.clock = options.clock,
                .random = RandomUint64,
                .numbers_after = beneath.numbers_after,
                .on_hand_over =
                    [this](internal::v1::ConnectorRequest request) {
                      service_.dispatcher()->HandOver(std::move(request));
                    },
                .confirm = std::move(beneath.confirm),
                .on_receipts = [this](const std::string& team_id) { service_.OnReceipts(team_id); },
                .on_claimable = [this] { service_.OnClaimable(); }}),
        group_commit_(&store_, options.clock),
        backups_({.backup_dir = options.backup_dir,
                  .data_dir = DataDir(options.keys_dir),
                  .checkpoint = std::move(beneath.checkpoint)}),
        service_(&group_commit_, options.sealer, options.clock, options.subscriptions, &backups_),
        writer_(&group_commit_, &store_, options.clock, [this] { service_.ExpireWaits(); }) {}

  RegistryApi* api() override { return &service_; }
  void SetConnectors(ConnectorDirectory* connectors) override {
    service_.dispatcher()->SetConnectors(connectors);
  }
  void Report(metrics::Samples* samples) override {
    store_.counters().Report(samples);
    group_commit_.Report(samples);
    samples->AddQueue("registry_ttl_zero", service_.dispatcher()->places_taken(),
                      Dispatcher::kMaxFollowed);
  }
  absl::Status StoreStatus() const override {
    if (store_.counters().ok()) return absl::OkStatus();
    return absl::UnavailableError("the store can't be read or written; the log says why");
  }
  void SetOnStoreChange(std::function<void(bool ok)> on_change) override {
    store_.SetOnHealthChange(std::move(on_change));
  }
  bool Responds(absl::Duration patience) override {
    // Shared: the answer may come when nobody waits any more.
    const auto gone_round = std::make_shared<absl::Notification>();
    group_commit_.Submit<bool>(
        Owner::Operator(), [](Store&) { return absl::StatusOr<bool>(true); },
        [gone_round](const absl::StatusOr<bool>&) { gone_round->Notify(); });
    return gone_round->WaitForNotificationWithTimeout(patience);
  }
  void EndWaits() override { service_.dispatcher()->EndAllWaits(); }

 private:
  KvStore store_;
  GroupCommit group_commit_;
  BackupMaker backups_;
  Service service_;
  WriterThread writer_;
};

absl::StatusOr<std::unique_ptr<RegistryServer>> StartOverDatabase(
    RegistryServer::Options options) {
  const std::string database = PgConnection::WithoutPassword(options.database->database);
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PostgresEngine> engine,
                            PostgresEngine::Open(*std::move(options.database)));
  LogInfo("store_opened", {{"database", database}});
  const uint64_t numbers_after = engine->numbers_after();
  auto cached = std::make_unique<DeviceCache>(std::move(engine), options.database_cache_bytes);
  DeviceCache* const cache = cached.get();
  return std::make_unique<RegistryServerImpl>(
      std::move(cached),
      RegistryServerImpl::Beneath{
          .numbers_after = numbers_after,
          .confirm = [cache] { return cache->Commit({}); },
          .checkpoint =
              [](const std::string&) {
                return MakeError(absl::StatusCode::kFailedPrecondition, "BACKUPS_OFF",
                                 "the store is in PostgreSQL: back it up with PostgreSQL's tools");
              }},
      std::move(options));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RegistryServer>> RegistryServer::Start(Options options) {
  if (options.database.has_value()) return StartOverDatabase(std::move(options));
  BELLWIRE_ASSIGN_OR_RETURN(
      std::unique_ptr<RocksDbEngine> engine,
      RocksDbEngine::Open(
          {.directory = options.data_dir, .clock = options.clock, .env = options.env}));
  LogInfo("store_opened", {{"directory", options.data_dir}});
  if (!options.backup_dir.empty()) {
    // It is no reason not to serve; the disk for backups may come later.
    if (const absl::Status place = CheckBackupDir(options.backup_dir, options.data_dir);
        !place.ok()) {
      LogWarning("backup_dir_unusable",
                 {{"error", place.message()}, {"to_do", "see --backup_dir"}});
    }
  }
  const RocksDbEngine* const disk = engine.get();
  auto lives = std::make_unique<RecordCache>(std::move(engine), Family::kLives, kLivesCacheBytes);
  return std::make_unique<RegistryServerImpl>(
      std::move(lives),
      RegistryServerImpl::Beneath{
          .numbers_after = disk->numbers_after(),
          .confirm = nullptr,
          .checkpoint = [disk](const std::string& to) { return disk->Checkpoint(to); }},
      std::move(options));
}

}  // namespace bellwire::registry
