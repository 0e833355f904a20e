// Messages to devices that nobody has heard of for long: their records come in one round trip a
// batch, counted over a real server.

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "gtest/gtest.h"
#include "registry/engine/device_cache.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "registry/engine/record_cache.h"
#include "registry/keys/keys.h"
#include "registry/server/group_commit.h"
#include "registry/server/kv_store.h"

namespace bellwire::registry {
namespace {

constexpr uint32_t kDevices = 20'000;
constexpr size_t kCacheBytes = 256 << 20;
constexpr char kTeam[] = "teamaaaaaa";
constexpr char kApp[] = "com.example.mail";

DeviceId Device(uint32_t n) {
  std::array<uint8_t, DeviceId::kSize> bytes{0xd0};
  for (size_t i = 0; i < 4; ++i) bytes[1 + i] = static_cast<uint8_t>(n >> (24 - 8 * i));
  return DeviceId(bytes);
}

MessageId MessageOf(uint8_t round, uint32_t n) {
  std::array<uint8_t, MessageId::kSize> bytes{round};
  for (size_t i = 0; i < 4; ++i) bytes[1 + i] = static_cast<uint8_t>(n >> (24 - 8 * i));
  return MessageId(bytes);
}

class ColdDevicesTest : public testing::Test {
 protected:
  ColdDevicesTest() : database_(server_.NewDatabase()) {
    MakeStoreIn(database_);
    Open();
  }

  // As a registry that has just started.
  void Open() {
    group_commit_ = nullptr;
    store_ = nullptr;
    auto engine = OpenEngine({.database = database_,
                              .durability = DatabaseDurability::kSingle,
                              .clock = RealClock(),
                              .max_recent_writes_bytes = 1 << 20});
    engine_ = engine.get();
    auto cache = std::make_unique<DeviceCache>(std::move(engine), engine_, kCacheBytes);
    cache_ = cache.get();
    auto teams = std::make_unique<RecordCache>(std::move(cache), Family::kTeams, 1 << 20);
    store_ = std::make_unique<KvStore>(
        std::move(teams), KvStore::Options{.clock = RealClock(),
                                           .random = [this] { return ++random_; },
                                           .numbers_after = engine_->numbers_after(),
                                           .prefetch =
                                               [this](absl::Span<const std::string> devices) {
                                                 cache_->Prefetch(devices);
                                               }});
    group_commit_ = std::make_unique<GroupCommit>(store_.get(), RealClock());
  }

  // Prints what the tables take, and what was written to the log, for docs/operate/sizing.md.
  void Measure(const char* of) {
    // What is recent goes to the table.
    Open();
    const std::string name = database_.substr(database_.rfind('=') + 1);
    server_.Sql(name, "VACUUM bellwire.records");
    std::cout << of << ": "
              << server_.Sql(
                     name,
                     absl::StrCat("SELECT pg_total_relation_size('bellwire.records') / ", kDevices))
              << " bytes of records, "
              << server_.Sql(name,
                             absl::StrCat("SELECT (pg_current_wal_lsn() - '0/0') / ", kDevices))
              << " bytes of WAL so far, a device\n";
  }

  uint64_t Reads() const {
    const metrics::Histogram& reads = engine_->counts().reads;
    uint64_t count = 0;
    for (size_t bucket = 0; bucket <= reads.bounds().size(); ++bucket) count += reads.count(bucket);
    return count;
  }
  // As the writer does it: with each batch, what it has done for the feeds of receipts.
  GroupCommit::Batch RunBatch() {
    return group_commit_->RunBatch(
        [this](size_t) { EXPECT_TRUE(store_->RelayReceipts(kMaxRelayEntries).ok()); });
  }

  void PutTeamAndApp() {
    admin::v1::Team team;
    team.set_team_id(kTeam);
    ASSERT_TRUE(store_->PutTeam(team).ok());
    admin::v1::App app;
    app.set_app_id(kApp);
    app.set_team_id(kTeam);
    ASSERT_TRUE(store_->PutApp(app).ok());
    // Somebody watches its receipts.
    ASSERT_TRUE(store_->ReadReceipts(kTeam, std::nullopt, 10).ok());
    ASSERT_TRUE(store_->Commit().ok());
  }

  // Submits one operation for each device, and runs batches until all are answered. Answers how
  // many round trips the worst batch has made.
  template <typename Response>
  uint64_t ForEachDevice(
      absl::FunctionRef<absl::AnyInvocable<absl::StatusOr<Response>(Store&) &&>(uint32_t)> make,
      absl::FunctionRef<void(uint32_t, const absl::StatusOr<Response>&)> take) {
    uint64_t worst = 0;
    uint32_t answered = 0;
    for (uint32_t n = 0; n < kDevices; ++n) {
      group_commit_->Submit<Response>(Owner::Team(kTeam).About(Device(n)), make(n),
                                      [&, n](absl::StatusOr<Response> response) {
                                        EXPECT_TRUE(response.ok()) << response.status();
                                        take(n, response);
                                        ++answered;
                                      });
      if ((n + 1) % kMaxGroupCommitOperations != 0 && n + 1 != kDevices) continue;
      const uint64_t before = Reads();
      const GroupCommit::Batch batch = RunBatch();
      EXPECT_TRUE(batch.committed.ok()) << batch.committed;
      EXPECT_FALSE(batch.more);
      worst = std::max(worst, Reads() - before);
    }
    EXPECT_EQ(answered, kDevices);
    return worst;
  }

  PostgresServer server_;
  const std::string database_;
  uint64_t random_ = 0;
  // The store's.
  const PostgresEngine* engine_ = nullptr;
  const DeviceCache* cache_ = nullptr;
  std::unique_ptr<KvStore> store_;
  std::unique_ptr<GroupCommit> group_commit_;
};

TEST_F(ColdDevicesTest, ABatchCostsTwoRoundTripsAtMost) {
  PutTeamAndApp();
  std::vector<uint64_t> registrations(kDevices);
  ForEachDevice<RegistrationResult>(
      [](uint32_t n) { return [n](Store& store) { return store.RegisterApp(Device(n), kApp); }; },
      [&](uint32_t n, const absl::StatusOr<RegistrationResult>& result) {
        if (result.ok()) registrations[n] = result->registration_id;
      });
  const int64_t now_ms = ToStoredMs(RealClock()->WallNow());
  const auto append = [&](uint8_t round) {
    return [&, round](uint32_t n) {
      Envelope message;
      message.set_message_id(std::string(MessageOf(round, n).bytes()));
      message.set_payload("hello");
      message.set_accepted_at_ms(now_ms);
      message.set_expires_at_ms(now_ms + 3'600'000);
      return [n, message, registration = registrations[n]](Store& store) {
        return store.Append({Device(n), registration, kTeam}, message, {});
      };
    };
  };
  const auto ignore = [](uint32_t, const absl::StatusOr<AppendResult>&) {};

  Measure("a device");
  // The app is looked up once, and then it is known.
  const uint64_t before = Reads();
  const uint64_t worst_cold = ForEachDevice<AppendResult>(append(1), ignore);
  const uint64_t batches = (kDevices + kMaxGroupCommitOperations - 1) / kMaxGroupCommitOperations;
  std::cout << "cold: " << Reads() - before << " round trips for " << batches << " batches, "
            << worst_cold << " in the worst; " << cache_->bytes() / kDevices << " bytes a device\n";
  EXPECT_LE(Reads() - before, 2 * batches + 4) << "with those of the team and the app";
  EXPECT_EQ(cache_->counts().misses.value(), 0u) << "no operation has waited for a read of its own";

  const uint64_t warm = Reads();
  ForEachDevice<AppendResult>(append(2), ignore);
  EXPECT_LE(Reads() - warm, batches) << "the feed's record";
  Measure("a device and two messages that wait");

  // The apps take both, and what is left of them is what receipts need.
  for (const uint8_t round : {1, 2}) {
    ForEachDevice<bool>(
        [&, round](uint32_t n) {
          return [id = MessageOf(round, n), registration = registrations[n],
                  n](Store& store) -> absl::StatusOr<bool> {
            BELLWIRE_RETURN_IF_ERROR(
                store.AppAcknowledge(Device(n), {{id, registration, push::v1::APP_ACKED}}));
            return true;
          };
        },
        [](uint32_t, const absl::StatusOr<bool>&) {});
  }
  Measure("a device and two messages that were taken");
}

}  // namespace
}  // namespace bellwire::registry
