#include "registry/engine/rocksdb/log_keeper.h"

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "registry/testing/temporary_directory.h"

namespace bellwire::registry {
namespace {

class LogKeeperTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(directory_.path()); }

  std::string Path(absl::string_view name) { return absl::StrCat(directory_.path(), "/", name); }

  void Make(absl::string_view name) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(keeper_.NewWritableFile(Path(name), rocksdb::FileOptions(), &file, nullptr).ok());
  }
  void Delete(absl::string_view name) {
    ASSERT_TRUE(keeper_.DeleteFile(Path(name), rocksdb::IOOptions(), nullptr).ok());
  }
  bool Exists(absl::string_view name) { return std::filesystem::exists(Path(name)); }

  TemporaryDirectory directory_;
  LogKeeper keeper_{rocksdb::FileSystem::Default()};
};

TEST_F(LogKeeperTest, KeepsLogsUntilTheyMayGo) {
  for (const char* name : {"000004.log", "000007.log", "000009.log"}) Make(name);
  Delete("000004.log");
  Delete("000007.log");
  keeper_.KeepFrom(7);
  keeper_.KeepFrom(3);
  EXPECT_TRUE(Exists("000004.log")) << "who allows it does not wait for it";
  keeper_.DeleteReleased();
  EXPECT_FALSE(Exists("000004.log"));
  EXPECT_TRUE(Exists("000007.log"));
  keeper_.KeepFrom(8);
  keeper_.DeleteReleased();
  EXPECT_FALSE(Exists("000007.log"));
  EXPECT_TRUE(Exists("000009.log")) << "RocksDB has not given it up";
}

TEST_F(LogKeeperTest, TheNextDeletionTakesAlongWhatMayGo) {
  for (const char* name : {"000004.log", "000010.sst"}) Make(name);
  Delete("000004.log");
  keeper_.KeepFrom(5);
  EXPECT_TRUE(Exists("000004.log"));
  Delete("000010.sst");
  EXPECT_FALSE(Exists("000004.log"));
}

TEST_F(LogKeeperTest, WhatMayGoGoesAtOnce) {
  Make("000004.log");
  keeper_.KeepFrom(5);
  EXPECT_TRUE(Exists("000004.log"));
  Delete("000004.log");
  EXPECT_FALSE(Exists("000004.log"));
}

TEST_F(LogKeeperTest, OtherFilesAreNotItsBusiness) {
  for (const char* name : {"000010.sst", "LOG", "x.log"}) {
    Make(name);
    Delete(name);
    EXPECT_FALSE(Exists(name)) << name;
  }
  EXPECT_EQ(keeper_.latest(), 0u);
}

TEST_F(LogKeeperTest, KnowsTheLatestLog) {
  Make("000012.log");
  EXPECT_EQ(keeper_.latest(), 12u);
  Make("000015.log");
  EXPECT_EQ(keeper_.latest(), 15u);
}

}  // namespace
}  // namespace bellwire::registry
