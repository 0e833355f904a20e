#include "registry/server/server.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
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
#include "registry/engine/postgres/fleet_watch.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/record_cache.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/keys/feeds.h"
#include "registry/keys/keys.h"
#include "registry/sealing/payload_key_file.h"
#include "registry/sealing/payload_state.h"
#include "registry/sealing/sealed_engine.h"
#include "registry/server/batch_wait.h"
#include "registry/server/group_commit.h"
#include "registry/server/kv_store.h"
#include "registry/server/service.h"
#include "registry/server/writer_thread.h"
#include "registry/sharing/partition_sharing.h"

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
    std::function<absl::StatusOr<OldVersions>()> forget_old_versions,
    std::function<bool()> is_alone) {
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
                          .forget_old_versions = std::move(forget_old_versions),
                          .is_alone = std::move(is_alone)}));
  SealedEngine* const sealing = sealed.get();
  return SealedStore{.engine = std::move(sealed), .sealing = sealing};
}

// The feeds of a store that nobody shares.
absl::StatusOr<std::vector<uint32_t>> ReadFeeds(const KvReader& store) {
  std::vector<uint32_t> feeds = {0};
  BELLWIRE_ASSIGN_OR_RETURN(const auto others, store.Get(Family::kNames, FeedsKey()));
  for (const char feed : others.value_or("")) feeds.push_back(static_cast<uint8_t>(feed));
  return feeds;
}

// How long JoinFleet waits for the first devices: longer than a dead owner is waited for.
constexpr absl::Duration kMaxJoining = absl::Seconds(10);

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
    // Those of a store that was shared once.
    std::vector<uint32_t> feeds = {0};
    // Of a database; else null. All live as long as the engine.
    PostgresEngine* database = nullptr;
    DeviceCache* cache = nullptr;
    RecordCache* teams = nullptr;
    // Of a registry that shares the database. The engine calls `watch`, which outlives it, and the
    // sealing below asks what the rest of the server knows.
    std::unique_ptr<FleetWatch> watch;
    std::shared_ptr<std::function<bool()>> is_alone;
    std::function<void()> end_process;
  };

  RegistryServerImpl(SealedStore sealed, Beneath beneath, Options options)
      : watch_(std::move(beneath.watch)),
        sealing_(sealed.sealing),
        engine_(sealed.engine.get()),
        end_process_(std::move(beneath.end_process)),
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
                .feeds = FeedsOf(beneath),
                .sharing = Sharing(),
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
                 [this] { return DescribePayloadKeys(); },
                 FeedsOf(beneath).IsOnlyOne() ? nullptr : FeedsOf(beneath).all),
        sharing_(watch_ == nullptr ? nullptr : NewSharing(beneath)),
        writer_(&group_commit_, &store_, options.clock, [this] { service_.ExpireWaits(); },
                WaitAfter, BetweenBatches()) {}

  ~RegistryServerImpl() override {
    if (watch_ != nullptr) watch_->SetOnChange(nullptr);
  }

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
  void JoinFleet(const std::string& address) override {
    if (sharing_ == nullptr) return;
    watch_->SetOnChange([this] {
      service_.maps()->Set(watch_->Map());
      WakeWriter();
    });
    sharing_->Join(address);
    WakeWriter();
    watch_->AwaitJoined(kMaxJoining);
  }
  void LeaveFleet(absl::Duration at_most) override {
    if (sharing_ == nullptr) return;
    watch_->Leave();
    watch_->AwaitLeft(at_most);
    watch_->SetOnChange(nullptr);
  }

 private:
  Feeds FeedsOf(const Beneath& beneath) const {
    if (watch_ == nullptr) return {.all = [feeds = beneath.feeds] { return feeds; }};
    return {.own = beneath.database->feed(), .all = [watch = watch_.get()] {
              return watch->Feeds();
            }};
  }
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

  // REQUIRES of what it answers: sharing_ is there when the store uses it.
  std::optional<KvStore::Sharing> Sharing() {
    if (watch_ == nullptr) return std::nullopt;
    return KvStore::Sharing{
        .check_device = [this](const DeviceId& device) { return sharing_->CheckDevice(device); },
        .check_home = [this] { return sharing_->CheckHome(); },
        .owns = [this](const DeviceId& device) { return sharing_->Owns(device.bytes()); },
        .epoch = [this](const DeviceId& device) { return sharing_->EpochOf(device); },
        .share = [this] { return sharing_->Share(); },
        .is_alone = [this] { return sharing_->IsAlone(); }};
  }
  std::unique_ptr<PartitionSharing> NewSharing(const Beneath& beneath) {
    auto sharing = std::make_unique<PartitionSharing>(PartitionSharing::Options{
        .engine = beneath.database,
        .cache = beneath.cache,
        .store = &store_,
        .watch = watch_.get(),
        .on_gained = [this] { return CheckSealing(); },
        .end_process =
            [this] {
              if (end_process_) end_process_();
            },
        .on_changed =
            [this] {
              service_.dispatcher()->OnDevicesGone(
                  [this](const DeviceId& device) { return !sharing_->Owns(device.bytes()); });
            }});
    beneath.cache->SetOwns([s = sharing.get()](absl::string_view device) {
      return s->Owns(device);
    });
    // What others write is read from the database each time.
    beneath.teams->SetHolds([own = beneath.database->feed()](absl::string_view key) {
      return FeedOfName(TeamOfKey(key)) == own;
    });
    *beneath.is_alone = [s = sharing.get()] { return s->IsAlone(); };
    return sharing;
  }
  // Whether this registry can open what the ones before may have sealed.
  absl::Status CheckSealing() {
    if (sealing_ != nullptr) return sealing_->Reread();
    BELLWIRE_ASSIGN_OR_RETURN(const auto state, ReadPayloadState(*engine_));
    return CheckPayloadKeys(state, /*keys=*/nullptr);
  }
  absl::AnyInvocable<void()> BetweenBatches() {
    if (sharing_ == nullptr) return nullptr;
    return [this] { sharing_->Work(); };
  }
  // Has it go round, if nothing else does.
  void WakeWriter() {
    group_commit_.Submit<bool>(
        Owner::Operator(), [](Store&) { return absl::StatusOr<bool>(true); },
        [](const absl::StatusOr<bool>&) {});
  }

  const std::unique_ptr<FleetWatch> watch_;
  // The store's engine; null where nothing is sealed.
  SealedEngine* const sealing_;
  // The store has it.
  KvEngine* const engine_;
  // Ends the process: others own what it had. May be empty.
  const std::function<void()> end_process_;
  KvStore store_;
  const std::function<uint64_t()> memory_bytes_;
  // The store's. Null: it has no database.
  const PostgresEngine* const database_;
  const DeviceCache* const cache_;
  GroupCommit group_commit_;
  BackupMaker backups_;
  Service service_;
  const std::unique_ptr<PartitionSharing> sharing_;
  WriterThread writer_;
};

absl::StatusOr<std::unique_ptr<RegistryServer>> StartOverDatabase(
    RegistryServer::Options options) {
  const std::string database = PgConnection::WithoutPassword(options.database->database);
  std::unique_ptr<FleetWatch> watch;
  if (options.database->shares) {
    watch = std::make_unique<FleetWatch>(
        FleetWatch::Options{.clock = options.clock,
                            .lease_silence = options.database->lease_silence});
    options.database->after_heartbeat = [watch = watch.get()](PgConnection* connection) {
      return watch->Look(connection);
    };
  }
  const std::function<void()> end_process = options.database->on_fenced;
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<PostgresEngine> engine,
                            PostgresEngine::Open(*std::move(options.database)));
  LogInfo("store_opened", {{"database", database}});
  PostgresEngine* const postgres = engine.get();
  const uint64_t numbers_after = engine->numbers_after();
  auto cached =
      std::make_unique<DeviceCache>(std::move(engine), postgres, options.database_cache_bytes);
  DeviceCache* const cache = cached.get();
  auto teams = std::make_unique<RecordCache>(std::move(cached), Family::kTeams, kTeamsCacheBytes);
  RecordCache* const top = teams.get();
  // Answered once the server is there.
  const auto is_alone = std::make_shared<std::function<bool()>>();
  std::function<bool()> asks;
  if (watch != nullptr) asks = [is_alone] { return *is_alone && (*is_alone)(); };
  BELLWIRE_ASSIGN_OR_RETURN(SealedStore sealed,
                            Sealed(std::move(teams), options, /*forget_old_versions=*/nullptr,
                                   std::move(asks)));
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
          .cache = cache,
          .teams = top,
          .watch = std::move(watch),
          .is_alone = is_alone,
          .end_process = end_process},
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
      Sealed(std::move(lives), options, [disk] { return disk->ForgetOldVersions(); },
             /*is_alone=*/nullptr));
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<uint32_t> feeds, ReadFeeds(*disk));
  return std::make_unique<RegistryServerImpl>(
      std::move(sealed),
      RegistryServerImpl::Beneath{
          .numbers_after = disk->numbers_after(),
          .confirm = nullptr,
          .checkpoint = [disk](const std::string& to) { return disk->Checkpoint(to); },
          .free_bytes = [disk] { return disk->FreeBytes(); },
          .memory_bytes = [disk] { return disk->MemoryBytes(); },
          .feeds = std::move(feeds)},
      std::move(options));
}

}  // namespace bellwire::registry
