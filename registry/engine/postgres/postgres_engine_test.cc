// Owners, and commits whose answer is lost or that are refused: over a real server, and a network
// that fails.

#include "registry/engine/postgres/postgres_engine.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_proxy.h"
#include "registry/engine/postgres/testing/postgres_server.h"

namespace bellwire::registry {
namespace {

constexpr absl::Duration kSilence = absl::Milliseconds(500);

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class PostgresEngineTest : public testing::Test {
 protected:
  PostgresEngineTest()
      : proxy_(Server().host()),
        database_(Server().NewDatabase()),
        through_proxy_(absl::StrCat(database_, " host=", proxy_.host())) {
    MakeStoreIn(database_);
  }

  PostgresEngine::Options Options(const std::string& database) const {
    return {.database = database,
            .address = "this registry",
            .durability = DatabaseDurability::kSingle,
            .clock = RealClock(),
            .lease_silence = kSilence,
            .commit_timeout = absl::Milliseconds(500)};
  }
  PostgresEngine::Options Options() const { return Options(database_); }
  std::string Sql(const std::string& sql) {
    return Server().Sql(database_.substr(database_.rfind('=') + 1), sql);
  }
  // Takes the store from an owner that lives: its heartbeats are too slow for this one.
  std::unique_ptr<PostgresEngine> Usurp() {
    PostgresEngine::Options options = Options();
    options.lease_silence = absl::Milliseconds(20);
    options.wait = WaitForOwner();
    return OpenEngine(std::move(options));
  }

  PostgresProxy proxy_;
  const std::string database_;
  const std::string through_proxy_;
};

TEST_F(PostgresEngineTest, AStoreHasOneOwner) {
  const auto owner = OpenEngine(Options());
  const absl::Status held = PostgresEngine::Open(Options()).status();
  EXPECT_EQ(ErrorReason(held), "LEASE_HELD");
  EXPECT_EQ(held.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(held.message(), "this registry")) << held;
  EXPECT_TRUE(owner->Commit(Writes("a", "1")).ok()) << "it goes on";
}

TEST_F(PostgresEngineTest, WhoLeavesGivesBack) {
  auto owner = OpenEngine(Options());
  ASSERT_TRUE(owner->Commit(Writes("a", "1")).ok());
  owner.reset();
  EXPECT_EQ(Value(*OpenEngine(Options()), "a"), "1") << "at once";
  EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.heartbeats"), "0");
}

TEST_F(PostgresEngineTest, WhoDiesIsTakenOverOnceItIsSilent) {
  auto owner = OpenEngine(Options());
  ASSERT_TRUE(owner->Commit(Writes("a", "1")).ok());
  std::atomic<bool> dead = false;
  PostgresEngine::Options options = Options();
  int looks = 0;
  options.wait = [&](absl::Duration pause) {
    // For four silences it lives, and nobody takes it over.
    if (++looks == 40) {
      owner->Die();
      owner.reset();
      dead = true;
    }
    return WaitForOwner()(pause);
  };
  const auto heir = OpenEngine(std::move(options));
  EXPECT_TRUE(dead);
  EXPECT_EQ(Value(*heir, "a"), "1");
  EXPECT_TRUE(heir->Commit(Writes("a", "2")).ok());
  EXPECT_EQ(Value(*heir, "a"), "2");
}

// Asleep for long, or slow: whatever it believes, the epoch says that it is no owner.
TEST_F(PostgresEngineTest, AnOwnerThatWasTakenOverWritesAndAnswersNothing) {
  bool told = false;
  PostgresEngine::Options options = Options();
  options.lease_silence = absl::Hours(1);
  options.on_fenced = [&] { told = true; };
  const auto old = OpenEngine(std::move(options));
  ASSERT_TRUE(old->Commit(Writes("a", "1")).ok());
  const auto heir = Usurp();
  ASSERT_TRUE(heir->Commit(Writes("a", "2")).ok());
  EXPECT_EQ(ErrorReason(old->Commit(Writes("a", "3"))), "NOT_OWNER");
  EXPECT_TRUE(told);
  EXPECT_EQ(ErrorReason(old->Commit({})), "NOT_OWNER");
  EXPECT_EQ(ErrorReason(old->Commit(Writes("b", "3"))), "NOT_OWNER");
  EXPECT_EQ(Value(*old, "a"), "NOT_OWNER");
  EXPECT_EQ(Value(*heir, "a"), "2");
  EXPECT_EQ(Value(*heir, "b"), "-");
  EXPECT_TRUE(heir->Commit(Writes("b", "4")).ok());
}

TEST_F(PostgresEngineTest, AReadIsConfirmedByAnEmptyCommit) {
  PostgresEngine::Options options = Options();
  options.lease_silence = absl::Hours(1);
  const auto old = OpenEngine(std::move(options));
  EXPECT_TRUE(old->Commit({}).ok());
  const auto heir = Usurp();
  EXPECT_EQ(ErrorReason(old->Commit({})), "NOT_OWNER");
}

TEST_F(PostgresEngineTest, ACommitWhoseAnswerIsLostIsFound) {
  const auto engine = OpenEngine(Options(through_proxy_));
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  proxy_.Set(PostgresProxy::Fault::kAnswersLost);
  EXPECT_TRUE(engine->Commit(Writes("a", "2")).ok());
  EXPECT_EQ(engine->counts().unknown.value(), 1u);
  EXPECT_EQ(engine->counts().unknown_made.value(), 1u);
  EXPECT_EQ(Value(*engine, "a"), "2");
  EXPECT_TRUE(engine->Commit(Writes("a", "3")).ok());
}

TEST_F(PostgresEngineTest, ACommitThatNeverArrivedIsNotMade) {
  const auto engine = OpenEngine(Options(through_proxy_));
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  for (const auto fault : {PostgresProxy::Fault::kRequestsLost, PostgresProxy::Fault::kCut}) {
    proxy_.Set(fault);
    const absl::Status lost = engine->Commit(Writes("a", "2"));
    EXPECT_EQ(ErrorReason(lost), "REGISTRY_UNAVAILABLE") << lost;
    EXPECT_EQ(Value(*engine, "a"), "1");
  }
  EXPECT_EQ(engine->counts().unknown.value(), 2u);
  EXPECT_EQ(engine->counts().unknown_made.value(), 0u);
  EXPECT_TRUE(engine->Commit(Writes("a", "3")).ok());
  EXPECT_EQ(Value(*engine, "a"), "3");
}

// Whatever was answered about it stays true when it comes at last.
TEST_F(PostgresEngineTest, ACommitThatArrivesLateWritesNothing) {
  const auto engine = OpenEngine(Options(through_proxy_));
  proxy_.Set(PostgresProxy::Fault::kRequestsLate);
  EXPECT_FALSE(engine->Commit(Writes("a", "late")).ok());
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  proxy_.Set(PostgresProxy::Fault::kNone);
  for (int n = 0; n < 20; ++n) ASSERT_TRUE(engine->Commit(Writes("b", absl::StrCat(n))).ok());
  EXPECT_EQ(Value(*engine, "a"), "1");
  EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.records WHERE value = 'late'"), "0");
}

TEST_F(PostgresEngineTest, AReadWhoseConnectionBreaksIsWorthARepetition) {
  const auto engine = OpenEngine(Options(through_proxy_));
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  proxy_.Set(PostgresProxy::Fault::kCut);
  EXPECT_EQ(ErrorReason(engine->Get(Family::kTeams, "a").status()), "REGISTRY_UNAVAILABLE");
  EXPECT_EQ(Value(*engine, "a"), "1");
  EXPECT_EQ(engine->counts().resumed.value(), 1u);
}

// Each answer of the server that a commit may get, raised by a trigger.
TEST_F(PostgresEngineTest, ACommitThatTheServerRefusesIsNotMadeAndMayBeRepeated) {
  const auto engine = OpenEngine(Options());
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  Sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = TG_ARGV[0]; END $$");
  for (const char* sqlstate :
       {"40P01", "40001", "53100", "53200", "25006", "55P03", "57014", "57P03"}) {
    Sql(absl::StrCat("CREATE TRIGGER t BEFORE INSERT ON bellwire.records"
                     " FOR EACH ROW EXECUTE FUNCTION refuse('", sqlstate, "')"));
    const absl::Status refused = engine->Commit(Writes("a", "2"));
    EXPECT_EQ(ErrorReason(refused), "REGISTRY_UNAVAILABLE") << refused;
    EXPECT_TRUE(absl::StrContains(refused.message(), sqlstate)) << refused;
    EXPECT_FALSE(absl::StrContains(refused.message(), '\n')) << refused;
    Sql("DROP TRIGGER t ON bellwire.records");
    // It is opened again a second later.
    CommitAtLast(engine.get(), Writes("a", sqlstate));
    EXPECT_EQ(Value(*engine, "a"), sqlstate);
  }
  EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.records WHERE value = '2'"), "0");
}

TEST_F(PostgresEngineTest, DamageIsNeverServed) {
  const auto engine = OpenEngine(Options());
  ASSERT_TRUE(engine->Commit(Writes("a", "1")).ok());
  Sql("UPDATE bellwire.commit_log SET entry = '\\xff'");
  Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE application_name LIKE 'bellwire-registry%'");
  // Whoever calls tries again; whoever runs it reads why.
  const absl::Status lost = engine->Commit(Writes("a", "2"));
  EXPECT_FALSE(lost.ok());
  EXPECT_EQ(ErrorReason(PostgresEngine::Open([&] {
                          PostgresEngine::Options options = Options();
                          options.lease_silence = absl::Milliseconds(20);
                          options.wait = WaitForOwner();
                          return options;
                        }()).status()),
            "STORE_CORRUPT");
}

TEST_F(PostgresEngineTest, ATakerWaitsForACommitUnderWay) {
  PostgresEngine::Options options = Options();
  options.lease_silence = absl::Hours(1);
  options.commit_timeout = absl::Seconds(30);
  const auto old = OpenEngine(std::move(options));
  // Somebody holds a row that the commit writes, so that it stands still with its leases.
  ASSERT_TRUE(old->Commit({{{Family::kTeams, "a"}, "1"}}).ok());
  const std::string database_name = database_.substr(database_.rfind('=') + 1);
  PostgresServer::Session holder(Server(), database_name);
  holder.Run("BEGIN; UPDATE bellwire.records SET value = value");
  absl::Status committed;
  std::thread slow([&] { committed = old->Commit({{{Family::kTeams, "a"}, "slow"}}); });
  Server().WaitUntil("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
  // The taker ends the connection that stands in its way.
  const auto heir = Usurp();
  slow.join();
  EXPECT_FALSE(committed.ok());
  holder.Run("ROLLBACK");
  // It may have tried to take them itself at the same time, and rests.
  const MonotonicTime deadline = RealClock()->Monotonic() + absl::Seconds(30);
  while (ErrorReason(committed) != "NOT_OWNER" && RealClock()->Monotonic() < deadline) {
    committed = old->Commit(Writes("b", "2"));
    EXPECT_FALSE(committed.ok());
  }
  EXPECT_EQ(ErrorReason(committed), "NOT_OWNER") << committed;
  EXPECT_EQ(*heir->Get(Family::kTeams, "a"), "1");
}

// Asleep between a statement and its end: the rows are held for as long as it sleeps.
TEST_F(PostgresEngineTest, ATakerEndsAConnectionThatHoldsTheRows) {
  PostgresEngine::Options options = Options();
  options.lease_silence = absl::Hours(1);
  const auto old = OpenEngine(std::move(options));
  const std::string database_name = database_.substr(database_.rfind('=') + 1);
  const std::string connection =
      Sql("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
          " AND application_name LIKE 'bellwire-registry%'");
  ASSERT_NE(connection, "");
  PostgresServer::Session asleep(Server(), database_name);
  asleep.Run("SET application_name = '" + connection + "'");
  asleep.Run("BEGIN");
  asleep.Run("UPDATE bellwire.leases SET commit_no = commit_no");
  options = Options();
  options.lease_silence = absl::Milliseconds(20);
  // A taker that waits for the rows gives up after 2 s each time.
  options.wait = [deadline = RealClock()->Monotonic() + absl::Seconds(10),
                  wait = WaitForOwner()](absl::Duration pause) {
    return wait(pause) && RealClock()->Monotonic() < deadline;
  };
  const auto heir = PostgresEngine::Open(std::move(options));
  ASSERT_TRUE(heir.ok()) << heir.status();
  EXPECT_TRUE((*heir)->Commit(Writes("a", "1")).ok());
}

TEST_F(PostgresEngineTest, ACommitEndsBeforeItsCallersDo) {
  EXPECT_LT(PostgresEngine::kCommitTimeout + PostgresEngine::kResumeTimeout, kRegistryCallTimeout);
}

}  // namespace
}  // namespace bellwire::registry
