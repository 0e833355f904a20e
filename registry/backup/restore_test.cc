#include "registry/backup/restore.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/data_dir.h"
#include "ops/init_data_dir.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"

namespace bellwire::registry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr char kAside[] = "/before_restore_20231114T221320Z";

class RestoreTest : public testing::Test {
 protected:
  RestoreTest() { MakeServer(backup_, "then"); }

  // A data directory whose store has one record, of that name.
  static void MakeServer(const DataDir& dir, const std::string& name) {
    fs::create_directories(fs::path(dir.path()).parent_path());
    ASSERT_TRUE(InitDataDir(dir, {"localhost"}, kNow).ok());
    ASSERT_TRUE(Open(dir)->Commit({{KvKey{Family::kTeams, Key(name)}, std::string("x")}}).ok());
  }
  // Of a kind that nobody knows, so that it need not fit to any other record.
  static std::string Key(const std::string& name) { return "\x04teamX" + name; }
  static std::unique_ptr<RocksDbEngine> Open(const DataDir& dir) {
    auto engine = RocksDbEngine::Open({.directory = dir.registry(), .clock = RealClock()});
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }
  static bool Holds(const DataDir& dir, const std::string& name) {
    return Open(dir)->Get(Family::kTeams, Key(name)).value().has_value();
  }

  absl::StatusOr<Restored> Restore(bool force = false, bool keep_keys = false) {
    return RestoreBackup({.backup = backup_.path(),
                          .data_dir = server_.path(),
                          .force = force,
                          .keep_keys = keep_keys},
                         kNow, [](absl::string_view, uint64_t) {});
  }
  static std::string Contents(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const TempDir backup_place_;
  const TempDir server_place_;
  const DataDir backup_{backup_place_.path("store")};
  const DataDir server_{server_place_.path("store")};
};

TEST_F(RestoreTest, OnAMachineThatHasNothing) {
  const auto restored = Restore();
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->moved_to, "");
  EXPECT_TRUE(CheckInitialised(server_).ok()) << CheckInitialised(server_);
  for (const std::string& file : DataDir::KeyFiles()) {
    EXPECT_EQ(Contents(absl::StrCat(server_.path(), "/", file)),
              Contents(absl::StrCat(backup_.path(), "/", file)));
  }
  EXPECT_TRUE(Holds(server_, "then"));
  EXPECT_TRUE(Holds(backup_, "then")) << "the server writes to its own files";
  EXPECT_FALSE(fs::exists(server_.path() + "/restore.unfinished"));
}

TEST_F(RestoreTest, ALivingStoreIsInTheWay) {
  MakeServer(server_, "now");
  const auto restored = Restore();
  EXPECT_EQ(ErrorReason(restored.status()), "STORE_EXISTS") << restored.status();
  EXPECT_THAT(std::string(restored.status().message()), HasSubstr("--force"));
  EXPECT_TRUE(Holds(server_, "now"));
  EXPECT_FALSE(Holds(server_, "then"));
}

TEST_F(RestoreTest, ForceMovesTheOldAside) {
  MakeServer(server_, "now");
  const std::string old_keys = Contents(server_.token_keys());
  const auto restored = Restore(/*force=*/true);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->moved_to, server_.path() + kAside);
  EXPECT_TRUE(Holds(server_, "then"));
  EXPECT_FALSE(Holds(server_, "now"));
  EXPECT_EQ(Contents(server_.token_keys()), Contents(backup_.token_keys()));
  const DataDir aside(restored->moved_to);
  EXPECT_TRUE(CheckInitialised(aside).ok());
  EXPECT_EQ(Contents(aside.token_keys()), old_keys);
  EXPECT_TRUE(Holds(aside, "now"));
}

TEST_F(RestoreTest, TheServersOwnKeysMayBeTheNewerOnes) {
  MakeServer(server_, "now");
  const std::string keys = Contents(server_.token_keys());
  ASSERT_TRUE(Restore(/*force=*/true, /*keep_keys=*/true).ok());
  EXPECT_TRUE(Holds(server_, "then"));
  EXPECT_EQ(Contents(server_.token_keys()), keys);
}

TEST_F(RestoreTest, KeysThatAreNotThereCantBeKept) {
  EXPECT_EQ(ErrorReason(Restore(false, /*keep_keys=*/true).status()), "NO_TOKEN_KEYS");
  EXPECT_FALSE(fs::exists(server_.registry()));
}

// A start would refuse them, and with `force` the server's own are out of its reach by then.
TEST_F(RestoreTest, KeysThatCantBeReadDoNotTakeThePlaceOfThoseThatCan) {
  MakeServer(server_, "now");
  const std::string keys = Contents(server_.token_keys());
  const std::string good = Contents(backup_.token_keys());
  for (const std::string& bad : {std::string("junk\n"), good.substr(0, good.size() - 10)}) {
    std::ofstream(backup_.token_keys()) << bad;
    EXPECT_EQ(ErrorReason(Restore(/*force=*/true).status()), "BAD_KEY_FILE") << bad;
    EXPECT_EQ(Contents(server_.token_keys()), keys);
    EXPECT_TRUE(Holds(server_, "now"));
  }
  std::ofstream(backup_.token_keys()) << good;
  fs::permissions(backup_.token_keys(), fs::perms::others_read, fs::perm_options::add);
  EXPECT_EQ(ErrorReason(Restore(/*force=*/true).status()), "FILE_NOT_PRIVATE");
  EXPECT_TRUE(Holds(server_, "now"));
}

TEST_F(RestoreTest, AServerThatRunsKeepsItsStore) {
  MakeServer(server_, "now");
  {
    const auto running = Open(server_);
    const auto restored = Restore(/*force=*/true);
    EXPECT_EQ(ErrorReason(restored.status()), "STORE_LOCKED") << restored.status();
    EXPECT_FALSE(fs::exists(server_.path() + kAside));
  }
  EXPECT_TRUE(Holds(server_, "now"));
}

TEST_F(RestoreTest, ADamagedBackupIsRefused) {
  MakeServer(server_, "now");
  for (const auto& entry : fs::directory_iterator(backup_.registry())) {
    if (!absl::StartsWith(entry.path().filename().string(), "MANIFEST")) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out);
    file.seekp(20);
    file.put('~');
  }
  const auto restored = Restore(/*force=*/true);
  EXPECT_EQ(ErrorReason(restored.status()), "STORE_CORRUPT") << restored.status();
  EXPECT_TRUE(Holds(server_, "now"));
}

TEST_F(RestoreTest, WhatIsNoBackupIsRefused) {
  fs::remove_all(backup_.registry());
  EXPECT_EQ(ErrorReason(Restore().status()), "NO_BACKUP");
  EXPECT_FALSE(fs::exists(server_.path()));
}

}  // namespace
}  // namespace bellwire::registry
