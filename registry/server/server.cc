#include "registry/server/server.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/types/span.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "registry/backup/backup_maker.h"
#include "registry/engine/device_cache.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/record_cache.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/sealing/payload_key_file.h"
#include "registry/sealing/payload_state.h"
#include "registry/sealing/sealed_engine.h"
#include "registry/server/group_commit.h"
#include "registry/server/kv_store.h"
#include "registry/server/service.h"
#include "registry/server/writer_thread.h"

namespace bellwire::registry {
namespace {

// The lives of messages that came to their device and whose end is awaited: some 300 bytes each.
constexpr size_t kLivesCacheBytes = 16 * 1024 * 1024;
// Of a database: what each batch adds to, such as the numbers of a team's messages. A team has less
// than 1 KiB of that.
constexpr size_t kTeamsCacheBytes = 4 * 1024 * 1024;

// An engine, sealed or not.
struct SealedStore {
  std::unique_ptr<KvEngine> engine;
  // Null: payloads are in the clear.
  SealedEngine* sealing = nullptr;
};

// `engine` with payloads sealed above it, where the options say so.
absl::StatusOr<SealedStore> Sealed(
    std::unique_ptr<KvEngine> engine, const RegistryServer::Options& options,
    std::function<absl::StatusOr<OldVersions>()> forget_old_versions) {
  if (options.payload_key_file.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(const auto state, ReadPayloadState(*engine));
    BELLWIRE_RETURN_IF_ERROR(CheckPayloadKeys(state, /*keys=*/nullptr));
    return SealedStore{.engine = std::move(engine)};
  }
  BELLWIRE_RETURN_IF_ERROR(CheckOutside(
      options.payload_key_file, {options.keys_dir, options.data_dir, options.backup_dir}));
  const auto file = std::make_shared<PayloadKeyFile>(options.payload_key_file);
  BELLWIRE_ASSIGN_OR_RETURN(std::shared_ptr<const PayloadKeys> keys, file->Read());
  BELLWIRE_ASSIGN_OR_RETURN(
      std::unique_ptr<SealedEngine> sealed,
      SealedEngine::Open(std::move(engine),
                         {.clock = options.clock,
                          .keys = std::move(keys),
                          .newer_keys = [file] { return file->ReadIfChanged(); },
                          .forget_old_versions = std::move(forget_old_versions)}));
  SealedEngine* const sealing = sealed.get();
  return SealedStore{.engine = std::move(sealed), .sealing = sealing};
}

// Declared in the order of need: the writer thread stops first, the store closes last.
class RegistryServerImpl final : public RegistryServer {
 public:
  // What differs between engines.
  struct Beneath {
    uint64_t numbers_after = 0;
    std::function<absl::Status()> confirm;
    std::function<absl::Status(const std::string& directory)> checkpoint;
    std::function<std::optional<uint64_t>()> free_bytes;
    // Null: its memory is the database's.
    std::function<uint64_t()> memory_bytes;
    // Of a database; else null. Both live as long as the engine.
    const PostgresEngine* database = nullptr;
    const DeviceCache* cache = nullptr;
  };

  RegistryServerImpl(SealedStore sealed, Beneath beneath, Options options)
      : sealing_(sealed.sealing),
        store_(std::move(sealed.engine),
               {.clock = options.clock,
                .random = RandomUint64,
                .numbers_after = beneath.numbers_after,
                .devices = options.devices,
                .on_hand_over =
                    [this](internal::v1::ConnectorRequest request) {
                      service_.dispatcher()->HandOver(std::move(request));
                    },
                .confirm = std::move(beneath.confirm),
                .prefetch = PrefetchInto(beneath.cache),
                .on_receipts = [this](const std::string& team_id) { service_.OnReceipts(team_id); },
                .on_claimable = [this] { service_.OnClaimable(); },
                .retention = options.retention,
                .chores = ChoresOf(sealing_),
                .free_bytes = std::move(beneath.free_bytes)}),
        memory_bytes_(std::move(beneath.memory_bytes)),
        database_(beneath.database),
        cache_(beneath.cache),
        group_commit_(&store_, options.clock),
        backups_({.backup_dir = options.backup_dir,
                  .data_dir = DataDir(options.keys_dir),
                  .checkpoint = std::move(beneath.checkpoint)}),
        service_(&group_commit_, options.sealer, options.clock, options.subscriptions, &backups_,
                 [this] { return DescribePayloadKeys(); }),
        writer_(&group_commit_, &store_, options.clock, [this] { service_.ExpireWaits(); }) {}

  RegistryApi* api() override { return &service_; }
  void SetConnectors(ConnectorApi* connectors) override {
    service_.dispatcher()->SetConnectors(connectors);
  }
  void OnConnectorGone(uint64_t incarnation) override {
    service_.dispatcher()->OnConnectorGone(incarnation);
  }
  void Report(metrics::Samples* samples) override {
    store_.counters().Report(samples);
    store_.gate().Report(samples);
    store_.quotas().Report(samples);
    group_commit_.Report(samples);
    samples->Add(metrics::kStoreMemoryBytes,
                 memory_bytes_ == nullptr ? 0 : static_cast<double>(memory_bytes_()));
    ReportDatabase(samples);
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
  static std::vector<Chore*> ChoresOf(SealedEngine* sealing) {
    if (sealing == nullptr) return {};
    return {sealing};
  }
  admin::v1::GetPayloadKeysResponse DescribePayloadKeys() const {
    admin::v1::GetPayloadKeysResponse response;
    admin::v1::PayloadKeysOfStore* const store = response.add_stores();
    if (sealing_ != nullptr) *store = sealing_->Describe();
    return response;
  }

  static std::function<void(absl::Span<const std::string>)> PrefetchInto(
      const DeviceCache* cache) {
    if (cache == nullptr) return nullptr;
    return [cache](absl::Span<const std::string> devices) { cache->Prefetch(devices); };
  }
  void ReportDatabase(metrics::Samples* samples) const {
    static const PostgresEngine::Counts no_database;
    static const DeviceCache::Counts no_cache;
    const auto& engine = database_ == nullptr ? no_database : database_->counts();
    const auto& cache = cache_ == nullptr ? no_cache : cache_->counts();
    const uint64_t made = engine.unknown_made.value();
    samples->Add(metrics::kDatabaseReadSeconds, engine.reads);
    samples->Add(metrics::kUnknownCommits, {"made"}, static_cast<double>(made));
    // One that is being looked for counts as not made.
    samples->Add(metrics::kUnknownCommits, {"not_made"},
                 static_cast<double>(engine.unknown.value()) - static_cast<double>(made));
    samples->Add(metrics::kStoreResumed, engine.resumed);
    samples->Add(metrics::kDeviceCacheBytes,
                 cache_ == nullptr ? 0 : static_cast<double>(cache_->bytes()));
    samples->Add(metrics::kDeviceCacheLookUps, {"hit"}, cache.hits);
    samples->Add(metrics::kDeviceCacheLookUps, {"miss"}, cache.misses);
  }

  // The store's engine, or null.
  SealedEngine* const sealing_;
  KvStore store_;
  const std::function<uint64_t()> memory_bytes_;
  // The store's. Null: it has no database.
  const PostgresEngine* const database_;
  const DeviceCache* const cache_;
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
  const PostgresEngine* const postgres = engine.get();
  auto cached =
      std::make_unique<DeviceCache>(std::move(engine), postgres, options.database_cache_bytes);
  DeviceCache* const cache = cached.get();
  auto teams = std::make_unique<RecordCache>(std::move(cached), Family::kTeams, kTeamsCacheBytes);
  RecordCache* const top = teams.get();
  BELLWIRE_ASSIGN_OR_RETURN(SealedStore sealed,
                            Sealed(std::move(teams), options, /*forget_old_versions=*/nullptr));
  return std::make_unique<RegistryServerImpl>(
      std::move(sealed),
      RegistryServerImpl::Beneath{
          .numbers_after = numbers_after,
          .confirm = [top] { return top->Commit({}); },
          .checkpoint =
              [](const std::string&) {
                return MakeError(absl::StatusCode::kFailedPrecondition, "BACKUPS_OFF",
                                 "the store is in PostgreSQL: back it up with PostgreSQL's tools");
              },
          .free_bytes = nullptr,
          .memory_bytes = nullptr,
          .database = postgres,
          .cache = cache},
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
  RocksDbEngine* const disk = engine.get();
  auto lives = std::make_unique<RecordCache>(std::move(engine), Family::kLives, kLivesCacheBytes);
  BELLWIRE_ASSIGN_OR_RETURN(
      SealedStore sealed,
      Sealed(std::move(lives), options, [disk] { return disk->ForgetOldVersions(); }));
  return std::make_unique<RegistryServerImpl>(
      std::move(sealed),
      RegistryServerImpl::Beneath{
          .numbers_after = disk->numbers_after(),
          .confirm = nullptr,
          .checkpoint = [disk](const std::string& to) { return disk->Checkpoint(to); },
          .free_bytes = [disk] { return disk->FreeBytes(); },
          .memory_bytes = [disk] { return disk->MemoryBytes(); }},
      std::move(options));
}

}  // namespace bellwire::registry
