// Synchronous standbys that are away, and a primary that dies: over real servers.

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"

namespace bellwire::registry {
namespace {

constexpr absl::Duration kSilence = absl::Milliseconds(500);

// Two servers, and the second one is the synchronous standby. Both sync their files.
struct Pair {
  Pair()
      : primary({.name = "n1", .fsync = true}),
        standby({.name = "n2", .primary = &primary, .fsync = true}) {}

  PostgresServer primary;
  PostgresServer standby;
};

class PostgresStandbyTest : public testing::Test {
 protected:
  PostgresStandbyTest() : PostgresStandbyTest(SharedPair()) {}
  explicit PostgresStandbyTest(Pair& pair) : primary_(pair.primary), standby_(pair.standby) {
    if (!standby_.is_running()) standby_.Start();
    primary_.Set("synchronous_standby_names", "FIRST 1 (n2)");
    primary_.WaitUntil("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'");
    const std::string database = primary_.NewDatabase();
    database_ = absl::StrCat(database, " host=", primary_.host(), ",", standby_.host());
    MakeStoreIn(database_);
  }

  static Pair& SharedPair() {
    static Pair pair;
    return pair;
  }

  PostgresEngine::Options Options() const {
    return {.database = database_,
            .clock = RealClock(),
            .lease_silence = kSilence,
            .commit_timeout = absl::Milliseconds(500)};
  }
  // A commit that waits for the standby, in the database.
  static constexpr char kSomebodyWaits[] =
      "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

  PostgresServer& primary_;
  PostgresServer& standby_;
  std::string database_;
};

TEST_F(PostgresStandbyTest, OneCopyIsRefused) {
  primary_.Set("synchronous_standby_names", "");
  EXPECT_EQ(ErrorReason(PostgresEngine::Open(Options()).status()), "REGISTRY_UNAVAILABLE");
  primary_.Set("synchronous_standby_names", "ANY 1 (n2, n3)");
  const absl::Status any = PostgresEngine::Open(Options()).status();
  EXPECT_TRUE(absl::StrContains(any.message(), "FIRST")) << any;
  PostgresEngine::Options options = Options();
  options.durability = DatabaseDurability::kStorage;
  EXPECT_TRUE(PostgresEngine::Open(std::move(options)).ok()) << "the operator's word";
}

TEST_F(PostgresStandbyTest, EmptiedNamesAreNoticedWithTheNextCommit) {
  const auto engine = OpenEngine(Options());
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  primary_.Set("synchronous_standby_names", "");
  const absl::Status alone = engine->Commit(Writes("a", "2"));
  EXPECT_EQ(ErrorReason(alone), "REGISTRY_UNAVAILABLE");
  EXPECT_TRUE(absl::StrContains(alone.message(), "one copy")) << alone;
  EXPECT_FALSE(engine->Get(Family::kTeams, "a").ok()) << "nothing is answered from it";
  primary_.Set("synchronous_standby_names", "FIRST 1 (n2)");
  CommitAtLast(engine.get(), Writes("a", "3"));
}

TEST_F(PostgresStandbyTest, NamesThatAreEmptiedWhileACommitWaitsDoNotMakeItDurable) {
  PostgresEngine::Options options = Options();
  options.commit_timeout = absl::Seconds(60);
  const auto engine = OpenEngine(std::move(options));
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  standby_.Stop();
  absl::Status committed;
  std::thread waits([&] { committed = engine->Commit(Writes("a", "2")); });
  primary_.WaitUntil(kSomebodyWaits);
  primary_.Set("synchronous_standby_names", "");
  waits.join();
  EXPECT_EQ(ErrorReason(committed), "REGISTRY_UNAVAILABLE") << committed;
}

TEST_F(PostgresStandbyTest, AWarningIsNotTakenForOk) {
  PostgresEngine::Options options = Options();
  options.commit_timeout = absl::Seconds(60);
  const auto engine = OpenEngine(std::move(options));
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  standby_.Stop();
  absl::Status committed;
  std::thread waits([&] { committed = engine->Commit(Writes("a", "2")); });
  primary_.WaitUntil(kSomebodyWaits);
  // The server answers success, and warns; then nobody but the primary has the row.
  primary_.Sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  waits.join();
  EXPECT_EQ(ErrorReason(committed), "REGISTRY_UNAVAILABLE") << committed;
  EXPECT_EQ(engine->counts().unknown.value(), 1u);
  EXPECT_FALSE(engine->Get(Family::kTeams, "a").ok()) << "the row may be lost yet";
  standby_.Start();
  CommitAtLast(engine.get(), Writes("b", "3"));
  EXPECT_EQ(Value(*engine, "a"), "2") << "it was made, and is on both now";
}

TEST_F(PostgresStandbyTest, WithoutItsStandbyNothingIsAnsweredOk) {
  const auto engine = OpenEngine(Options());
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  standby_.Stop();
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(ErrorReason(engine->Commit(Writes("a", "2"))), "REGISTRY_UNAVAILABLE");
    EXPECT_FALSE(engine->Get(Family::kTeams, "a").ok());
  }
  standby_.Start();
  CommitAtLast(engine.get(), Writes("b", "3"));
  EXPECT_EQ(Value(*engine, "a"), "2");
}

class PostgresFailoverTest : public PostgresStandbyTest {
 protected:
  PostgresFailoverTest() : PostgresFailoverTest(std::make_unique<Pair>()) {}
  explicit PostgresFailoverTest(std::unique_ptr<Pair> pair)
      : PostgresStandbyTest(*pair), pair_(std::move(pair)) {}

 private:
  const std::unique_ptr<Pair> pair_;
};

TEST_F(PostgresFailoverTest, TheStandbyHasAllThatWasAnsweredWhenThePrimaryDies) {
  const auto engine = OpenEngine(Options());
  int answered = 0;
  std::thread killer([&] {
    absl::Notification never;
    never.WaitForNotificationWithTimeout(absl::Milliseconds(300));
    primary_.Kill();
  });
  while (engine->Commit(Writes(absl::StrCat("k", answered), "ok")).ok()) ++answered;
  killer.join();
  standby_.Promote();
  standby_.Set("synchronous_standby_names", "*");
  // It waits for a standby of the new primary.
  EXPECT_FALSE(engine->Commit(Writes("z", "1")).ok());
  PostgresServer new_standby({.name = "n3", .primary = &standby_, .fsync = true});
  CommitAtLast(engine.get(), Writes("z", "1"));
  EXPECT_GT(answered, 5);
  for (int n = 0; n < answered; ++n) {
    ASSERT_EQ(Value(*engine, absl::StrCat("k", n)), "ok") << n << " of " << answered;
  }
}

}  // namespace
}  // namespace bellwire::registry
