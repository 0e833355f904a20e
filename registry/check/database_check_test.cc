#include "registry/check/database_check.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "registry/keys/keys.h"
#include "registry/server/kv_store.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class DatabaseCheckTest : public testing::Test {
 protected:
  static constexpr char kTeam[] = "teamaaaaaa";
  static constexpr char kApp[] = "com.example.mail";

  DatabaseCheckTest() : database_(Server().NewDatabase()) { MakeStoreIn(database_); }

  void Open(uint64_t max_recent_writes_bytes = 1 << 20) {
    store_ = nullptr;
    auto engine = OpenEngine({.database = database_,
                              .durability = DatabaseDurability::kSingle,
                              .clock = RealClock(),
                              .max_recent_writes_bytes = max_recent_writes_bytes});
    store_ = std::make_unique<KvStore>(
        std::move(engine),
        KvStore::Options{.clock = RealClock(), .random = [this] { return ++random_; }});
  }
  static DeviceId Device(uint8_t n) { return DeviceId(std::array<uint8_t, 16>{0xd0, n}); }

  // A team with a feed, and devices with apps, topics and messages.
  void Fill(uint8_t devices) {
    admin::v1::Team team;
    team.set_team_id(kTeam);
    ASSERT_TRUE(store_->PutTeam(team).ok());
    admin::v1::App app;
    app.set_app_id(kApp);
    app.set_team_id(kTeam);
    ASSERT_TRUE(store_->PutApp(app).ok());
    ASSERT_TRUE(store_->ReadReceipts(kTeam, std::nullopt, 10).ok());
    ASSERT_TRUE(store_->Commit().ok());
    for (uint8_t n = 0; n < devices; ++n) {
      const auto registered = store_->RegisterApp(Device(n), kApp);
      ASSERT_TRUE(registered.ok()) << registered.status();
      const uint64_t id = registered->registration_id;
      ASSERT_TRUE(store_->ChangeSubscription(Device(n), id, kTeam, "news", true).ok());
      Envelope message;
      message.set_message_id(std::string(16, static_cast<char>(n + 1)));
      message.set_registration_id(id);
      message.set_payload("hello");
      message.set_accepted_at_ms(ToStoredMs(RealClock()->WallNow()));
      message.set_expires_at_ms(message.accepted_at_ms() + 3'600'000);
      const auto appended = store_->Append({Device(n), id, kTeam}, message, {});
      ASSERT_TRUE(appended.ok()) << appended.status();
      ASSERT_TRUE(store_->Commit().ok());
    }
    ASSERT_TRUE(store_->RelayReceipts(1000).ok());
    ASSERT_TRUE(store_->Commit().ok());
  }

  // Of devices, of what belongs to no device, and of the registries that share the store.
  static constexpr int kPartitions = 8 + 1 + static_cast<int>(kMaxFeed);

  DatabaseCheckReport Check() {
    int last = 0;
    const auto report =
        CheckDatabase({.database = database_, .clock = RealClock()}, [&](int done, int of) {
          EXPECT_EQ(done, ++last);
          EXPECT_EQ(of, kPartitions);
        });
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(DatabaseCheckReport());
  }
  static std::string Problems(const DatabaseCheckReport& report) {
    std::string text;
    for (const CheckProblem& problem : report.records.problems) {
      absl::StrAppend(&text, problem.where, ": ", problem.what, "\n");
    }
    return text;
  }
  std::string Sql(const std::string& sql) {
    return Server().Sql(database_.substr(database_.rfind('=') + 1), sql);
  }

  const std::string database_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
};

// The registry that owns it goes on, and half of the records are in its commit log only.
TEST_F(DatabaseCheckTest, AStoreInUseIsSound) {
  Open();
  Fill(30);
  DatabaseCheckReport report = Check();
  EXPECT_TRUE(report.opened);
  EXPECT_EQ(report.partitions, kPartitions);
  EXPECT_EQ(Problems(report), "");
  const auto count = [&](RecordKind kind) {
    return report.records.counts[static_cast<size_t>(kind)];
  };
  EXPECT_EQ(count(RecordKind::kDevice), 30u);
  EXPECT_EQ(count(RecordKind::kMessage), 30u);
  EXPECT_EQ(count(RecordKind::kTeam), 1u);
  EXPECT_EQ(count(RecordKind::kFeed), 1u);
  EXPECT_EQ(count(RecordKind::kSubscriber), 30u);
  const uint64_t before = report.records.records();
  // The same as an engine that reads all of it finds.
  store_ = nullptr;
  const auto engine = OpenEngine(
      {.database = database_, .durability = DatabaseDurability::kSingle, .clock = RealClock()});
  CheckReport whole;
  CheckRecords(
      *engine, [](uint64_t) {}, &whole);
  EXPECT_TRUE(whole.sound());
  EXPECT_EQ(whole.records(), before);
  EXPECT_EQ(whole.counts, report.records.counts);
}

TEST_F(DatabaseCheckTest, DamageIsFoundWhereverItIs) {
  Open(/*max_recent_writes_bytes=*/0);
  Fill(8);
  // With this all of it is in the table.
  ASSERT_TRUE(store_
                  ->PutTeam([] {
                    admin::v1::Team other;
                    other.set_team_id("teambbbbbb");
                    return other;
                  }())
                  .ok());
  ASSERT_TRUE(store_->Commit().ok());
  store_ = nullptr;
  ASSERT_EQ(Problems(Check()), "");
  struct Case {
    const char* sql;
    const char* problem;
  };
  const std::string device = "decode('d003' || repeat('00', 14), 'hex')";
  for (const Case& damage : {
           Case{"DELETE FROM bellwire.records WHERE family = 3", "its name is not known"},
           Case{"DELETE FROM bellwire.records WHERE family = 4 AND partition < 8", "timeline"},
           Case{"UPDATE bellwire.records SET value = '\\xff' WHERE family = 0", "device"},
           Case{"DELETE FROM bellwire.records WHERE family = 2", "team"},
       }) {
    Sql("CREATE TABLE kept AS SELECT * FROM bellwire.records");
    Sql(damage.sql);
    const std::string problems = Problems(Check());
    EXPECT_TRUE(absl::StrContains(problems, damage.problem)) << damage.sql << "\n" << problems;
    Sql("DELETE FROM bellwire.records");
    Sql("INSERT INTO bellwire.records SELECT * FROM kept");
    Sql("DROP TABLE kept");
  }
  // In another partition nobody finds it.
  Sql(
      absl::StrCat("UPDATE bellwire.records SET partition = (partition + 1) % 8 WHERE family = 0"
                   " AND substr(key, 1, 16) = ",
                   device));
  const std::string problems = Problems(Check());
  EXPECT_TRUE(absl::StrContains(problems, "where nobody looks for it")) << problems;
}

TEST_F(DatabaseCheckTest, ALostEntryOfTheCommitLogIsSaid) {
  Open();
  Fill(3);
  Sql("DELETE FROM bellwire.commit_log WHERE commit_no = (SELECT min(commit_no) + 1"
      " FROM bellwire.commit_log)");
  const DatabaseCheckReport report = Check();
  EXPECT_FALSE(report.opened);
  EXPECT_TRUE(absl::StrContains(Problems(report), "commit log lacks entry")) << Problems(report);
}

TEST_F(DatabaseCheckTest, WhatIsNoStoreIsNotChecked) {
  const auto none =
      CheckDatabase({.database = Server().NewDatabase(), .clock = RealClock()}, [](int, int) {});
  EXPECT_EQ(ErrorReason(none.status()), "STORE_FORMAT");
  const auto away =
      CheckDatabase({.database = "host=/nowhere", .clock = RealClock()}, [](int, int) {});
  EXPECT_EQ(ErrorReason(away.status()), "REGISTRY_UNAVAILABLE");
}

}  // namespace
}  // namespace bellwire::registry
