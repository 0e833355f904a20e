// The store over MemoryEngine passes the contract, and loses in a crash what was not synced, and
// nothing else.

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/memory_engine.h"
#include "registry/keys/keys.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"
#include "registry/testing/store_contract.h"
#include "registry/testing/quotas_contract.h"
#include "registry/testing/topics_contract.h"

namespace bellwire::registry {
namespace {

class MemoryStoreUnderTest final : public StoreUnderTest {
 public:
  MemoryStoreUnderTest() { Open(); }

  Store& store() override { return *store_; }
  void Restart() override {
    engine_.Crash(MemoryEngine::Unsynced::kLost);
    Open();
  }
  std::vector<std::string> Problems() override {
    CheckReport report;
    CheckRecords(
        engine_, [](uint64_t) {}, &report);
    std::vector<std::string> problems;
    for (const CheckProblem& p : report.problems) problems.push_back(p.where + ": " + p.what);
    return problems;
  }
  MemoryEngine& engine() { return engine_; }

 private:
  void Open() {
    store_ = std::make_unique<KvStore>(
        std::make_unique<SharedEngine>(&engine_),
        KvStore::Options{
            .clock = &clock,
            .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
            .on_hand_over =
                [this](ConnectorRequest request) { handed_over.push_back(std::move(request)); }});
  }

  MemoryEngine engine_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
};

std::unique_ptr<StoreUnderTest> NewMemoryStore() {
  return std::make_unique<MemoryStoreUnderTest>();
}
INSTANTIATE_TEST_SUITE_P(Memory, StoreContractTest, testing::Values(NewMemoryStore));
INSTANTIATE_TEST_SUITE_P(Memory, TopicsContractTest, testing::Values(NewMemoryStore));
INSTANTIATE_TEST_SUITE_P(Memory, QuotasContractTest, testing::Values(NewMemoryStore));

// A store that was put back to an older state: what it had given out since, phones and backends
// have seen.
class RestoredStoreTest : public testing::Test {
 protected:
  RestoredStoreTest() {
    Open();
    admin::v1::Team team;
    team.set_team_id(kTeam);
    EXPECT_TRUE(store_->PutTeam(team).ok());
    admin::v1::App app;
    app.set_app_id(kApp);
    app.set_team_id(kTeam);
    EXPECT_TRUE(store_->PutApp(app).ok());
    token_ = {kDevice, store_->RegisterApp(kDevice, kApp)->registration_id, kTeam};
    Commit();
  }

  // The process starts.
  void Open() {
    clock_.Advance(absl::Seconds(1));
    store_ = std::make_unique<KvStore>(
        std::make_unique<SharedEngine>(&engine_),
        KvStore::Options{.clock = &clock_,
                         .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
                         .numbers_after = NumbersOfStart(clock_.WallNow(), 0)});
  }
  void Backup() { backup_ = engine_; }
  void Restore() {
    store_.reset();
    engine_ = backup_;
    Open();
  }
  void Commit() { ASSERT_TRUE(store_->Commit().ok()); }

  Envelope Message(uint32_t id) {
    Envelope message;
    std::string bytes(MessageId::kSize, '\0');
    bytes[0] = static_cast<char>(id);
    message.set_message_id(bytes);
    message.set_accepted_at_ms(WallNowMs(clock_));
    message.set_expires_at_ms(WallNowMs(clock_) + 3'600'000);
    return message;
  }
  uint64_t Append(uint32_t id) {
    const auto appended = store_->Append(token_, Message(id), {});
    EXPECT_TRUE(appended.ok()) << appended.status();
    return appended->seq;
  }
  BindResult Bind(uint64_t login) {
    Route route;
    route.set_connector_address("connector");
    route.set_login_number(login);
    auto bound = store_->Bind(kDevice, route, {.max_bytes = 1 << 20, .max_messages = 100}, {});
    EXPECT_TRUE(bound.ok()) << bound.status();
    route_ = route;
    return *bound;
  }
  void Ack(std::vector<uint64_t> seqs) {
    std::vector<AckItem> items;
    for (const uint64_t seq : seqs) items.push_back({.seq = seq, .sent_at = clock_.WallNow()});
    EXPECT_TRUE(store_->Acknowledge(kDevice, route_, items).ok());
  }
  FeedPage Read(uint64_t after) {
    while (store_->RelayReceipts(1000)->more) continue;
    Commit();
    auto page = store_->ReadReceipts(kTeam, after, 100);
    EXPECT_TRUE(page.ok()) << page.status();
    return page.value_or(FeedPage());
  }
  std::vector<std::string> Problems() {
    CheckReport report;
    CheckRecords(
        engine_, [](uint64_t) {}, &report);
    std::vector<std::string> problems;
    for (const CheckProblem& p : report.problems) problems.push_back(p.where + ": " + p.what);
    return problems;
  }

  static constexpr char kTeam[] = "teamaaaaaa";
  static constexpr char kApp[] = "com.example.mail";
  const DeviceId kDevice{std::array<uint8_t, 16>{1}};
  SimulatedClock clock_;
  MemoryEngine engine_;
  MemoryEngine backup_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
  TokenRef token_;
  Route route_;
};

TEST_F(RestoredStoreTest, GivesNoNumberAgain) {
  Bind(1);
  Commit();
  Backup();
  uint64_t last = 0;
  for (uint32_t id = 1; id <= 5; ++id) last = Append(id);
  Commit();
  Restore();
  EXPECT_GT(Append(11), last) << "the phone would take it for what it has seen";
  for (uint32_t id = 12; id <= 30; ++id) EXPECT_GT(Append(id), last);
}

TEST_F(RestoredStoreTest, WhatWaitedAtTheBackupKeepsItsNumber) {
  const uint64_t waits = Append(1);
  Commit();
  Backup();
  Bind(1);
  Ack({waits});
  Commit();
  Restore();
  const BindResult bound = Bind(2);
  ASSERT_EQ(bound.page.messages.size(), 1);
  EXPECT_EQ(bound.page.messages[0].seq(), waits) << "the phone knows that it has it";
}

TEST_F(RestoredStoreTest, AnOrdinaryStartLeavesNoHoleThatAnybodyHasToFetch) {
  Bind(1);
  Ack({Append(1)});
  Commit();
  store_.reset();
  Open();
  const BindResult bound = Bind(2);
  const uint64_t seq = Append(2);
  EXPECT_EQ(bound.page.complete_to_seq + 1, seq) << "the session knows that it is the next one";
  EXPECT_EQ(bound.settled_seq + 1, seq) << "and the agent has no hole to remember";
  Commit();
  EXPECT_THAT(Problems(), testing::IsEmpty());
}

TEST_F(RestoredStoreTest, AStartLeavesWhatWaitsUnsettled) {
  const uint64_t waits = Append(1);
  Commit();
  store_.reset();
  Open();
  const BindResult bound = Bind(1);
  EXPECT_LT(bound.settled_seq, waits);
  ASSERT_EQ(bound.page.messages.size(), 1);
  Ack({waits});
  EXPECT_EQ(Bind(2).settled_seq + 1, Append(2));
  Commit();
  EXPECT_THAT(Problems(), testing::IsEmpty());
}

TEST_F(RestoredStoreTest, ANewDeviceIsNumberedFromTheStartToo) {
  Backup();
  const TokenRef other{DeviceId(std::array<uint8_t, 16>{2}), 0, kTeam};
  TokenRef lost = other;
  lost.registration_id = store_->RegisterApp(other.device, kApp)->registration_id;
  const uint64_t seen = store_->Append(lost, Message(1), {})->seq;
  Commit();
  Restore();
  TokenRef again = other;
  again.registration_id = store_->RegisterApp(other.device, kApp)->registration_id;
  EXPECT_GT(store_->Append(again, Message(2), {})->seq, seen);
}

TEST_F(RestoredStoreTest, ReceiptsGoOnBehindACursorFromBeforeTheRestore) {
  Append(1);
  Read(0);
  Commit();
  Backup();
  Append(2);
  const uint64_t cursor = Read(0).next_position;
  Restore();
  EXPECT_THAT(Read(cursor).receipts, testing::IsEmpty()) << "it waits, as at any end of a feed";
  EXPECT_EQ(Read(cursor).next_position, cursor);
  for (uint32_t id = 3; id <= 9; ++id) Append(id);
  const FeedPage page = Read(cursor);
  ASSERT_EQ(page.receipts.size(), 14) << "none of the new ones is skipped";
  EXPECT_GT(page.receipts.front().position, cursor);
  EXPECT_EQ(page.next_position, page.receipts.back().position);
  EXPECT_EQ(Read(0).receipts.size(), 16) << "those from before the backup are there";
  EXPECT_THAT(Problems(), testing::IsEmpty());
}

TEST_F(RestoredStoreTest, AHoleInAFeedThatNoStartMadeIsDamage) {
  Append(1);
  Read(0);
  store_.reset();
  Open();
  Append(2);
  Read(0);
  ASSERT_THAT(Problems(), testing::IsEmpty());
  std::string first;
  ASSERT_TRUE(engine_
                  .Scan(Family::kFeeds, "", "\xff",
                        [&](absl::string_view key, auto) {
                          first = std::string(key);
                          return false;
                        })
                  .ok());
  ASSERT_TRUE(engine_.Commit({{{Family::kFeeds, first}, WriteSet::mapped_type{}}}).ok());
  EXPECT_EQ(store_->ReadReceipts(kTeam, 0, 100).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Problems().size(), 1);
}

TEST(UnownedStoreTest, WhatWasReadIsAnsweredOnlyIfItIsConfirmed) {
  SimulatedClock clock;
  MemoryEngine engine;
  absl::Status confirmed;
  KvStore store(std::make_unique<SharedEngine>(&engine),
                KvStore::Options{.clock = &clock,
                                 .random = [] { return uint64_t{1}; },
                                 .confirm = [&] { return confirmed; }});
  ASSERT_TRUE(store.ListTeams().ok());
  EXPECT_TRUE(store.Commit().ok());
  confirmed = absl::UnavailableError("another one owns the store");
  ASSERT_TRUE(store.ListTeams().ok());
  EXPECT_EQ(store.Commit(), confirmed);
  // A commit that writes says by itself whose the store is.
  admin::v1::Team team;
  team.set_team_id("team");
  ASSERT_TRUE(store.PutTeam(team).ok());
  EXPECT_TRUE(store.Commit().ok());
}

class MemoryCrashTest : public testing::Test {
 protected:
  MemoryCrashTest() {
    admin::v1::Team team;
    team.set_team_id("kept");
    EXPECT_TRUE(store().PutTeam(team).ok());
    EXPECT_TRUE(store().Commit().ok());
    team.set_team_id("under_way");
    EXPECT_TRUE(store().PutTeam(team).ok());
  }

  Store& store() { return under_test_.store(); }
  size_t Teams() { return store().ListTeams()->size(); }

  MemoryStoreUnderTest under_test_;
};

TEST_F(MemoryCrashTest, AFailedWriteLeavesNoTrace) {
  under_test_.engine().set_fault(MemoryEngine::Fault::kBeforeWrite);
  EXPECT_EQ(store().Commit().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Teams(), 1);
  under_test_.engine().set_fault(MemoryEngine::Fault::kNone);
  EXPECT_TRUE(store().Commit().ok());
  EXPECT_EQ(Teams(), 1);
}

TEST_F(MemoryCrashTest, ALoginThatWaitsOutlivesAFailedWrite) {
  const DeviceId device(std::array<uint8_t, 16>{1});
  const auto bind = [&](uint64_t login) {
    Route route;
    route.set_connector_address("connector");
    route.set_login_number(login);
    const absl::StatusOr<BindResult> bound = store().Bind(device, route, {}, {});
    return bound.ok() && bound->evicted.has_value() ? bound->evicted->login_number() : 0;
  };
  EXPECT_EQ(bind(1), 0);
  ASSERT_TRUE(store().Commit().ok());
  EXPECT_EQ(bind(2), 1);
  ASSERT_TRUE(store().Commit().ok());
  // Now it waits, and a write that takes it along fails.
  admin::v1::Team team;
  team.set_team_id("fails");
  ASSERT_TRUE(store().PutTeam(team).ok());
  under_test_.engine().set_fault(MemoryEngine::Fault::kBeforeWrite);
  EXPECT_FALSE(store().Commit().ok());
  under_test_.engine().set_fault(MemoryEngine::Fault::kNone);
  ASSERT_TRUE(store().PutTeam(team).ok());
  ASSERT_TRUE(store().Commit().ok());
  under_test_.Restart();
  EXPECT_EQ(bind(3), 2);
}

TEST_F(MemoryCrashTest, AFailedSyncStopsEverythingUntilTheRestart) {
  under_test_.engine().set_fault(MemoryEngine::Fault::kBeforeSync);
  EXPECT_EQ(store().Commit().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(store().ListTeams().status().code(), absl::StatusCode::kUnavailable);
  under_test_.Restart();
  EXPECT_EQ(Teams(), 1);
}

TEST_F(MemoryCrashTest, ADiskMayKeepWhatWasNotSynced) {
  under_test_.engine().set_fault(MemoryEngine::Fault::kBeforeSync);
  EXPECT_FALSE(store().Commit().ok());
  under_test_.engine().Crash(MemoryEngine::Unsynced::kKept);
  EXPECT_EQ(Teams(), 2);
}

}  // namespace
}  // namespace bellwire::registry
