#include "registry/engine/rocksdb/recent_log.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/testing/temporary_directory.h"
#include "rocksdb/env.h"

namespace bellwire::registry {
namespace {

// As RocksDB numbers the column families that the engine makes in a new store.
std::optional<Family> FamilyOf(uint32_t column_family) {
  if (column_family == 0) return std::nullopt;
  return static_cast<Family>(column_family - 1);
}

class RecentLogTest : public testing::Test {
 protected:
  // A store of one commit a device, of which the tables have not heard of some.
  void MakeStore(uint64_t max_recent_writes_bytes) {
    auto engine = RocksDbEngine::Open({.directory = directory_.path(),
                                       .clock = &clock_,
                                       .max_recent_writes_bytes = max_recent_writes_bytes});
    ASSERT_TRUE(engine.ok()) << engine.status();
    for (int i = 0; i < kCommits; ++i) {
      const KvKey key{Family::kDevices, absl::StrCat("device ", 100'000'000 + i)};
      ASSERT_TRUE((*engine)->Commit({{key, absl::StrCat(i)}}).ok());
    }
  }

  static constexpr int kCommits = 100;
  TemporaryDirectory directory_;
  SimulatedClock clock_;
};

TEST_F(RecentLogTest, HasWhatTheTablesHaveNotHeardOf) {
  MakeStore(1 << 20);
  const auto recovered = RecoverRecentWrites(rocksdb::Env::Default(), directory_.path(), FamilyOf);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->last_commit, uint64_t{kCommits});
  ASSERT_EQ(recovered->writes.size(), size_t{kCommits});
  EXPECT_EQ(*recovered->writes.rbegin()->second.value, "99");
}

TEST_F(RecentLogTest, HasNotWhatTheTablesWereTold) {
  MakeStore(500);
  const auto recovered = RecoverRecentWrites(rocksdb::Env::Default(), directory_.path(), FamilyOf);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->last_commit, uint64_t{kCommits});
  EXPECT_GT(recovered->writes.size(), 0u);
  EXPECT_LT(recovered->writes.size(), 20u);
}

TEST_F(RecentLogTest, AnEmptyDirectoryHasNone) {
  const auto missing = RecoverRecentWrites(rocksdb::Env::Default(), directory_.path(), FamilyOf);
  EXPECT_EQ(ErrorReason(missing.status()), "REGISTRY_UNAVAILABLE");
  ASSERT_TRUE(rocksdb::Env::Default()->CreateDir(directory_.path()).ok());
  const auto recovered = RecoverRecentWrites(rocksdb::Env::Default(), directory_.path(), FamilyOf);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->writes.empty());
}

}  // namespace
}  // namespace bellwire::registry
