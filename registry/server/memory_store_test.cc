// The store over MemoryEngine passes the contract, and loses in a crash what was not synced, and
// nothing else.

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/memory_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"
#include "registry/testing/store_contract.h"

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
            .on_due =
                [this](const DeviceId& device, const Route& route, const Envelope& message) {
                  due.push_back({device, route, message});
                }});
  }

  MemoryEngine engine_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreContractTest, testing::Values([] {
                           return std::unique_ptr<StoreUnderTest>(new MemoryStoreUnderTest());
                         }));

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
    const absl::StatusOr<BindResult> bound = store().Bind(device, route, {});
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
