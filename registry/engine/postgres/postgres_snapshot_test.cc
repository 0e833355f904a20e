#include "registry/engine/postgres/postgres_snapshot.h"

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

using Reader = PostgresSnapshot::Reader;

class PostgresSnapshotTest : public testing::Test {
 protected:
  PostgresSnapshotTest() : database_(Server().NewDatabase()) {
    MakeStoreIn(database_);
    auto connection =
        PgConnection::Connect({.database = database_, .name = "snapshot", .clock = RealClock()});
    EXPECT_TRUE(connection.ok()) << connection.status();
    connection_ = *std::move(connection);
  }

  std::unique_ptr<PostgresEngine> Engine(uint64_t max_recent_writes_bytes = 1 << 20) {
    return OpenEngine({.database = database_,
                       .address = "registry-1:7445",
                       .durability = DatabaseDurability::kSingle,
                       .clock = RealClock(),
                       .max_recent_writes_bytes = max_recent_writes_bytes});
  }
  std::unique_ptr<PostgresSnapshot> Snapshot() {
    auto snapshot = PostgresSnapshot::Open(connection_.get());
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? *std::move(snapshot) : nullptr;
  }

  static DeviceId Device(uint8_t n) {
    std::array<uint8_t, DeviceId::kSize> bytes{};
    bytes.fill(n);
    return DeviceId(bytes);
  }
  // Of every kind that has a partition of its own, and some that have none.
  static WriteSet RecordsOf(uint8_t n, const std::string& value) {
    const DeviceId device = Device(n);
    return {{{Family::kDevices, DeviceRecordKey(device)}, value},
            {{Family::kDevices, MailboxKey(device, 5)}, value},
            {{Family::kLives, LifeKey(device, MessageRef())}, value},
            {{Family::kTimeline, TimelineKey({.time_ms = 9, .device = device})}, value},
            {{Family::kOutbox, OutboxKey(n, device)}, value},
            {{Family::kTeams, TeamRecordKey(absl::StrCat("team", n))}, value}};
  }

  // All that the readers of all partitions find, and how often. Sees that no record is found twice.
  static std::map<std::string, std::string> All(const PostgresSnapshot& snapshot,
                                                Reader::Outbox outbox, bool hold) {
    std::map<std::string, std::string> all;
    for (int p = 0; p <= snapshot.partitions().shared(); ++p) {
      Reader reader(&snapshot, p, outbox);
      if (hold) {
        EXPECT_TRUE(reader.Hold().ok());
      }
      for (int f = 0; f <= static_cast<int>(Family::kTopics); ++f) {
        const auto family = static_cast<Family>(f);
        const absl::Status scanned =
            reader.Scan(family, "", std::string(64, '\xff'),
                        [&](absl::string_view key, absl::string_view value) {
                          const auto name = absl::StrCat(f, "/", key);
                          EXPECT_TRUE(all.emplace(name, value).second) << "twice: " << name;
                          const auto found = reader.Get(family, key);
                          EXPECT_TRUE(found.ok() && *found == value);
                          return true;
                        });
        EXPECT_TRUE(scanned.ok()) << scanned;
      }
    }
    return all;
  }
  static std::map<std::string, std::string> Named(const WriteSet& writes) {
    std::map<std::string, std::string> named;
    for (const auto& [key, change] : writes) {
      if (!change.value.has_value()) continue;
      named.emplace(absl::StrCat(static_cast<int>(key.family), "/", key.key), *change.value);
    }
    return named;
  }

  const std::string database_;
  std::unique_ptr<PgConnection> connection_;
};

// What the table has and what only the commit log has.
TEST_F(PostgresSnapshotTest, EveryRecordIsInOnePartition) {
  for (const uint64_t recent_bytes : {uint64_t{1} << 20, uint64_t{0}}) {
    WriteSet expected;
    {
      const auto engine = Engine(recent_bytes);
      for (uint8_t n = 1; n <= 40; ++n) {
        const WriteSet writes = RecordsOf(n, absl::StrCat("value ", n));
        ASSERT_TRUE(engine->Commit(writes).ok());
        for (const auto& [key, change] : writes) expected.insert_or_assign(key, change);
      }
      const KvKey gone{Family::kDevices, MailboxKey(Device(7), 5)};
      ASSERT_TRUE(engine->Commit({{gone, std::nullopt}}).ok());
      expected.erase(gone);
    }
    const auto snapshot = Snapshot();
    for (const auto outbox : {Reader::Outbox::kOwn, Reader::Outbox::kAllInShared}) {
      for (const bool hold : {false, true}) {
        EXPECT_EQ(All(*snapshot, outbox, hold), Named(expected)) << recent_bytes << " " << hold;
      }
    }
    EXPECT_GT(snapshot->numbers_after(), 0u);
  }
}

// Whoever looks at one partition may follow what it names.
TEST_F(PostgresSnapshotTest, ANamedRecordIsFoundWhereverItIs) {
  const auto engine = Engine();
  for (uint8_t n = 1; n <= 9; ++n) ASSERT_TRUE(engine->Commit(RecordsOf(n, "v")).ok());
  const auto snapshot = Snapshot();
  for (int p = 0; p <= snapshot->partitions().shared(); ++p) {
    Reader reader(snapshot.get(), p, Reader::Outbox::kOwn);
    ASSERT_TRUE(reader.Hold().ok());
    for (uint8_t n = 1; n <= 9; ++n) {
      const auto team = reader.Get(Family::kTeams, TeamRecordKey(absl::StrCat("team", n)));
      EXPECT_TRUE(team.ok() && team->has_value());
      int lives = 0;
      ASSERT_TRUE(reader
                      .Scan(Family::kLives, LivesFrom(Device(n)), LivesEnd(Device(n)),
                            [&](auto, auto) { return ++lives > 0; })
                      .ok());
      EXPECT_EQ(lives, 1) << p << " " << int{n};
    }
  }
}

TEST_F(PostgresSnapshotTest, ItIsOfOneMoment) {
  const auto engine = Engine();
  ASSERT_TRUE(engine->Commit(RecordsOf(1, "before")).ok());
  const auto snapshot = Snapshot();
  ASSERT_TRUE(engine->Commit(RecordsOf(1, "after")).ok());
  ASSERT_TRUE(engine->Commit(RecordsOf(2, "after")).ok());
  EXPECT_EQ(All(*snapshot, Reader::Outbox::kOwn, /*hold=*/false), Named(RecordsOf(1, "before")));
  ASSERT_EQ(snapshot->owners().size(), 1u);
  EXPECT_EQ(snapshot->owners()[0].address, "registry-1:7445");
}

TEST_F(PostgresSnapshotTest, ALogThatIsDamagedIsSaid) {
  const auto engine = Engine();
  for (uint8_t n = 1; n <= 3; ++n) ASSERT_TRUE(engine->Commit(RecordsOf(n, "v")).ok());
  const std::string name = database_.substr(database_.rfind('=') + 1);
  Server().Sql(name, "DELETE FROM bellwire.commit_log WHERE commit_no = 2");
  EXPECT_EQ(ErrorReason(PostgresSnapshot::Open(connection_.get()).status()), "STORE_CORRUPT");
  Server().Sql(name, "DROP SCHEMA bellwire CASCADE");
  EXPECT_EQ(ErrorReason(PostgresSnapshot::Open(connection_.get()).status()), "STORE_FORMAT")
      << "and the transaction before has ended";
}

}  // namespace
}  // namespace bellwire::registry
