#include "registry/transfer/transfer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/check/database_check.h"
#include "registry/check/store_check.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

std::string NewDatabase() {
  const std::string database = Server().NewDatabase();
  MakeStoreIn(database);
  return database;
}

std::string Sql(const std::string& database, const std::string& sql) {
  return Server().Sql(database.substr(database.rfind('=') + 1), sql);
}

class TransferTest : public testing::Test {
 protected:
  static DeviceId Device(uint8_t n) { return DeviceId(std::array<uint8_t, 16>{0xd0, n}); }

  // Records of every family.
  static WriteSet Records(int devices) {
    WriteSet writes;
    for (int n = 0; n < devices; ++n) {
      const DeviceId device = Device(static_cast<uint8_t>(n));
      const std::string value = absl::StrCat("value ", n, std::string("\0\xff", 2));
      writes.insert({{Family::kDevices, MailboxKey(device, 1)}, value});
      writes.insert({{Family::kLives, LifeKey(device, MessageRef())}, value});
      writes.insert({{Family::kTimeline, TimelineKey({.time_ms = n, .device = device})}, ""});
      writes.insert({{Family::kOutbox, OutboxKey(static_cast<uint64_t>(n), device)}, value});
    }
    writes.insert({{Family::kTeams, TeamRecordKey("team")}, "t"});
    writes.insert({{Family::kNames, AppNameKey("app")}, "n"});
    writes.insert({{Family::kFeeds, FeedBlockKey("team", 7)}, "f"});
    writes.insert({{Family::kTopics, TopicCountKey("team", "news")}, "c"});
    return writes;
  }

  std::string RegistryDir(const std::string& data_dir) { return data_dir + "/registry"; }
  // A data directory with a store of these records. Some are in its commit log only.
  void MakeRocksDb(const std::string& data_dir, const WriteSet& writes) {
    std::filesystem::create_directories(data_dir);
    auto engine = RocksDbEngine::Open({.directory = RegistryDir(data_dir), .clock = RealClock()});
    ASSERT_TRUE(engine.ok()) << engine.status();
    ASSERT_TRUE((*engine)->Commit(writes).ok());
    numbers_after_ = (*engine)->numbers_after();
  }
  static std::unique_ptr<PostgresEngine> Engine(const std::string& database) {
    return OpenEngine({.database = database,
                       .address = "registry-1:7445",
                       .durability = DatabaseDurability::kSingle,
                       .clock = RealClock()});
  }

  absl::StatusOr<Transferred> Export(absl::StatusOr<std::unique_ptr<StoreSource>> source) {
    stream_.clear();
    if (!source.ok()) return source.status();
    return ExportStore(
        **source, RealClock()->WallNow(),
        [this](absl::string_view piece) {
          absl::StrAppend(&stream_, piece);
          return absl::OkStatus();
        },
        [](uint64_t) {});
  }
  absl::StatusOr<Transferred> ExportRocksDb(const std::string& data_dir) {
    return Export(OpenRocksDbSource(RegistryDir(data_dir)));
  }
  absl::StatusOr<Transferred> ExportDatabase(const std::string& database, bool online = false) {
    return Export(OpenDatabaseSource(database, online, RealClock()));
  }
  absl::StatusOr<Transferred> Import(
      absl::FunctionRef<absl::StatusOr<std::unique_ptr<StoreTarget>>(uint64_t)> open) {
    absl::string_view rest = stream_;
    return ImportStore(
        [&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
          const size_t size = std::min(buffer.size(), rest.size());
          std::copy_n(rest.data(), size, buffer.data());
          rest.remove_prefix(size);
          return size;
        },
        open, [](uint64_t) {});
  }
  absl::StatusOr<Transferred> ImportRocksDb(const std::string& data_dir) {
    return Import(
        [&](uint64_t numbers) { return OpenRocksDbTarget(data_dir, numbers, RealClock()); });
  }
  absl::StatusOr<Transferred> ImportDatabase(const std::string& database) {
    return Import(
        [&](uint64_t numbers) { return OpenDatabaseTarget(database, numbers, RealClock()); });
  }

  static WriteSet All(const KvReader& reader) {
    WriteSet all;
    for (int f = 0; f <= static_cast<int>(Family::kTopics); ++f) {
      const absl::Status scanned = reader.Scan(
          static_cast<Family>(f), "", std::string(64, '\xff'),
          [&](absl::string_view key, absl::string_view value) {
            all.insert({{static_cast<Family>(f), std::string(key)}, std::string(value)});
            return true;
          });
      EXPECT_TRUE(scanned.ok()) << scanned;
    }
    return all;
  }
  static void ExpectSame(const WriteSet& a, const WriteSet& b) {
    ASSERT_EQ(a.size(), b.size());
    for (auto i = a.begin(), j = b.begin(); i != a.end(); ++i, ++j) {
      ASSERT_TRUE(i->first.family == j->first.family && i->first.key == j->first.key);
      EXPECT_EQ(i->second.value, j->second.value);
    }
  }

  TempDir from_;
  TempDir to_;
  std::string stream_;
  uint64_t numbers_after_ = 0;
};

TEST_F(TransferTest, ThereAndBack) {
  const WriteSet records = Records(200);
  MakeRocksDb(from_.path(), records);
  const auto there = ExportRocksDb(from_.path());
  ASSERT_TRUE(there.ok()) << there.status();
  EXPECT_EQ(there->records, records.size());

  const std::string database = NewDatabase();
  const auto imported = ImportDatabase(database);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->records, records.size());
  EXPECT_EQ(imported->fingerprint, there->fingerprint);
  {
    const auto engine = Engine(database);
    EXPECT_GT(engine->numbers_after(), numbers_after_);
    ExpectSame(All(*engine), records);
    ASSERT_TRUE(engine->Commit({{{Family::kTeams, TeamRecordKey("other")}, "o"}}).ok());
    ASSERT_TRUE(
        engine->Commit({{{Family::kDevices, MailboxKey(Device(1), 1)}, std::nullopt}}).ok());
    numbers_after_ = engine->numbers_after();
  }
  WriteSet changed = records;
  changed.insert({{Family::kTeams, TeamRecordKey("other")}, "o"});
  changed.erase(KvKey{Family::kDevices, MailboxKey(Device(1), 1)});

  const auto back = ExportDatabase(database);
  ASSERT_TRUE(back.ok()) << back.status();
  const auto home = ImportRocksDb(to_.path());
  ASSERT_TRUE(home.ok()) << home.status();
  EXPECT_EQ(home->fingerprint, back->fingerprint);
  const auto engine =
      RocksDbEngine::Open({.directory = RegistryDir(to_.path()), .clock = RealClock()});
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_GT((*engine)->numbers_after(), numbers_after_);
  ExpectSame(All(**engine), changed);
}

// A source whose clock was ahead gave numbers that the target must not give again.
TEST_F(TransferTest, NumbersOfTheTargetAreGreater) {
  const std::string database = NewDatabase();
  const uint64_t ahead = NumbersOfStart(RealClock()->WallNow() + absl::Hours(24 * 365), 0);
  Sql(database, absl::StrCat("UPDATE bellwire.store SET numbers_after = ", ahead));
  ASSERT_TRUE(ExportDatabase(database).ok());
  ASSERT_TRUE(ImportRocksDb(to_.path()).ok());
  {
    const auto engine =
        RocksDbEngine::Open({.directory = RegistryDir(to_.path()), .clock = RealClock()});
    ASSERT_TRUE(engine.ok());
    EXPECT_GT((*engine)->numbers_after(), ahead);
  }
  ASSERT_TRUE(ExportRocksDb(to_.path()).ok());
  const std::string other = NewDatabase();
  ASSERT_TRUE(ImportDatabase(other).ok());
  EXPECT_GT(Engine(other)->numbers_after(), ahead);
}

TEST_F(TransferTest, ATargetWithAStoreIsRefused) {
  MakeRocksDb(from_.path(), Records(3));
  ASSERT_TRUE(ExportRocksDb(from_.path()).ok());
  MakeRocksDb(to_.path(), {});
  EXPECT_EQ(ErrorReason(ImportRocksDb(to_.path()).status()), "STORE_EXISTS");
  const std::string database = NewDatabase();
  ASSERT_TRUE(ImportDatabase(database).ok());
  const std::string before = Sql(database,
                                 "SELECT md5(string_agg(r::text, '' ORDER BY r::text))"
                                 " FROM bellwire.records r");
  EXPECT_EQ(ErrorReason(ImportDatabase(database).status()), "STORE_EXISTS") << "twice";
  EXPECT_EQ(Sql(database,
                "SELECT md5(string_agg(r::text, '' ORDER BY r::text))"
                " FROM bellwire.records r"),
            before);
  EXPECT_EQ(ErrorReason(ImportDatabase(Server().NewDatabase()).status()), "STORE_FORMAT")
      << "`fleet init` comes first";
}

TEST_F(TransferTest, AStoreInUseIsRefused) {
  MakeRocksDb(from_.path(), Records(3));
  {
    const auto used =
        RocksDbEngine::Open({.directory = RegistryDir(from_.path()), .clock = RealClock()});
    EXPECT_EQ(ErrorReason(ExportRocksDb(from_.path()).status()), "STORE_LOCKED");
  }
  ASSERT_TRUE(ExportRocksDb(from_.path()).ok());
  const std::string whole = stream_;
  const std::string database = NewDatabase();
  {
    const auto engine = Engine(database);
    EXPECT_EQ(ErrorReason(ImportDatabase(database).status()), "STORE_LOCKED");
    ASSERT_TRUE(engine->Commit(Records(1)).ok());
    EXPECT_EQ(ErrorReason(ExportDatabase(database).status()), "STORE_LOCKED");
    const auto online = ExportDatabase(database, /*online=*/true);
    ASSERT_TRUE(online.ok()) << online.status();
    EXPECT_EQ(online->records, Records(1).size());
    ASSERT_TRUE(engine->Commit(Records(2)).ok()) << "it goes on";
  }
  EXPECT_TRUE(ExportDatabase(database).ok()) << "it has given the store back";
}

// No registry can take the store while it is filled.
TEST_F(TransferTest, AnImportHoldsTheLeases) {
  MakeRocksDb(from_.path(), Records(3));
  ASSERT_TRUE(ExportRocksDb(from_.path()).ok());
  const std::string database = NewDatabase();
  absl::Status taken;
  const auto imported = Import([&](uint64_t numbers) {
    auto target = OpenDatabaseTarget(database, numbers, RealClock());
    taken =
        PostgresEngine::Open(
            {.database = database, .durability = DatabaseDurability::kSingle, .clock = RealClock()})
            .status();
    return target;
  });
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_TRUE(absl::IsUnavailable(taken)) << taken;
  EXPECT_EQ(All(*Engine(database)).size(), imported->records);
}

TEST_F(TransferTest, AStreamThatIsDamagedLeavesNothing) {
  MakeRocksDb(from_.path(), Records(255));
  ASSERT_TRUE(ExportRocksDb(from_.path()).ok());
  const std::string whole = stream_;
  const std::string database = NewDatabase();
  for (const bool cut : {true, false}) {
    stream_ = whole;
    if (cut) {
      stream_.resize(stream_.size() - 40);
    } else {
      stream_[stream_.size() / 2] ^= 1;
    }
    EXPECT_EQ(ErrorReason(ImportDatabase(database).status()), "EXPORT_DAMAGED");
    EXPECT_EQ(Sql(database, "SELECT count(*) FROM bellwire.records"), "0");
    EXPECT_EQ(ErrorReason(ImportRocksDb(to_.path()).status()), "EXPORT_DAMAGED");
    EXPECT_FALSE(std::filesystem::exists(RegistryDir(to_.path())));
    EXPECT_FALSE(std::filesystem::exists(to_.path() + "/import.unfinished"));
  }
  stream_ = whole;
  EXPECT_TRUE(ImportDatabase(database).ok());
  EXPECT_TRUE(ImportRocksDb(to_.path()).ok());
}

// What an import that was killed has left is no reason to refuse the next one.
TEST_F(TransferTest, AnImportThatWasKilledIsRepeated) {
  MakeRocksDb(from_.path(), Records(3));
  ASSERT_TRUE(ExportRocksDb(from_.path()).ok());
  std::filesystem::create_directories(to_.path() + "/import.unfinished/half");
  EXPECT_TRUE(ImportRocksDb(to_.path()).ok());
  EXPECT_FALSE(std::filesystem::exists(to_.path() + "/import.unfinished"));
}

TEST_F(TransferTest, WhatIsNoExportOpensNoTarget) {
  stream_ = "nonsense";
  const auto imported = Import([](uint64_t) -> absl::StatusOr<std::unique_ptr<StoreTarget>> {
    ADD_FAILURE();
    return absl::InternalError("");
  });
  EXPECT_EQ(ErrorReason(imported.status()), "EXPORT_FORMAT");
}

}  // namespace
}  // namespace bellwire::registry
