#include "registry/engine/rocksdb/log_check.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/engine/rocksdb/crc32c.h"
#include "rocksdb/env.h"

namespace bellwire::registry {
namespace {

std::string Record(const std::string& data, uint8_t type = 1) {
  const std::string covered = std::string(1, static_cast<char>(type)) + data;
  const uint32_t crc = ExtendCrc32c(0, covered);
  const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  std::string record;
  for (int shift = 0; shift < 32; shift += 8) record += static_cast<char>(masked >> shift);
  record += static_cast<char>(data.size());
  record += static_cast<char>(data.size() >> 8);
  return record + covered;
}

std::string Flipped(std::string bytes, size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

// A block as long as blocks are: records, and a little room at its end.
std::string FullBlock() {
  std::string block = Record("first") + Record(std::string(20'000, 'x'));
  block += Record(std::string(kLogBlockBytes - block.size() - kLogHeaderBytes - 3, 'y'), 2);
  return block + std::string(3, '\0');
}

TEST(LogCheckTest, WhatRocksDbWritesIsSound) {
  EXPECT_TRUE(LogBlockIsSound(""));
  EXPECT_TRUE(LogBlockIsSound(Record("one") + Record("two") + Record("")));
  EXPECT_TRUE(LogBlockIsSound(FullBlock()));
}

TEST(LogCheckTest, ATornEndIsSound) {
  const std::string records = Record("one") + Record("two") + Record("the last one");
  for (size_t size = 0; size <= records.size(); ++size) {
    EXPECT_TRUE(LogBlockIsSound(records.substr(0, size))) << size;
  }
  EXPECT_TRUE(LogBlockIsSound(records + std::string(1000, '\0')));
}

TEST(LogCheckTest, ReadsWholeRecords) {
  TempDir directory;
  std::filesystem::create_directory(directory.path("store"));
  const std::string path = directory.path("store") + "/000001.log";
  // The last of the block begins a record that ends in the next one.
  const std::string block = FullBlock();
  const std::string begun =
      block.substr(block.find("yyy"), block.rfind('y') + 1 - block.find("yyy"));
  const std::string log =
      block + Record("middle ", 3) + Record("end", 4) + Record("next") + Record("torn off");
  for (size_t torn = 1; torn < 15; ++torn) {
    ASSERT_TRUE(
        rocksdb::WriteStringToFile(rocksdb::Env::Default(), log.substr(0, log.size() - torn), path)
            .ok());
    std::vector<std::string> records;
    ASSERT_TRUE(ReadLog(rocksdb::Env::Default(), path, [&](absl::string_view record) {
                  records.emplace_back(record);
                  return absl::OkStatus();
                }).ok());
    EXPECT_EQ(records, (std::vector<std::string>{"first", std::string(20'000, 'x'),
                                                 begun + "middle end", "next"}));
  }
  ASSERT_TRUE(rocksdb::WriteStringToFile(rocksdb::Env::Default(), Flipped(log, 80), path).ok());
  EXPECT_EQ(ErrorReason(ReadLog(rocksdb::Env::Default(), path,
                                [](absl::string_view) { return absl::OkStatus(); })),
            "STORE_CORRUPT");
}

TEST(LogCheckTest, EachFlippedBitIsFound) {
  const std::string records = Record("one") + Record("two") + Record("the last one");
  for (size_t bit = 0; bit < records.size() * 8; ++bit) {
    EXPECT_FALSE(LogBlockIsSound(Flipped(records, bit))) << bit;
  }
  const std::string block = FullBlock();
  for (size_t bit = 0; bit < 100 * 8; ++bit) {
    EXPECT_FALSE(LogBlockIsSound(Flipped(block, bit))) << bit;
    EXPECT_FALSE(LogBlockIsSound(Flipped(block, block.size() * 8 - 1 - bit))) << bit;
  }
}

TEST(LogCheckTest, AFullBlockIsNeverTorn) {
  std::string block = FullBlock();
  block.replace(kLogBlockBytes - 500, 500, 500, '\0');
  EXPECT_FALSE(LogBlockIsSound(block));
}

class LogFilesTest : public testing::Test {
 protected:
  LogFilesTest() : env_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {
    EXPECT_TRUE(env_->CreateDirIfMissing("/store").ok());
  }
  void Write(const std::string& name, const std::string& contents) {
    EXPECT_TRUE(rocksdb::WriteStringToFile(env_.get(), contents, "/store/" + name).ok());
  }
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_F(LogFilesTest, LogsAndTheCurrentManifestAreChecked) {
  const std::string damaged = Flipped(Record("a record"), 40);
  Write("000004.log", FullBlock() + Record("more"));
  Write("000007.log", "");
  Write("MANIFEST-000005", Record("current"));
  Write("MANIFEST-000002", damaged);  // Of no interest any more.
  Write("CURRENT", "MANIFEST-000005\n");
  EXPECT_TRUE(CheckLogs(env_.get(), "/store").ok());
  Write("MANIFEST-000005", damaged);
  EXPECT_TRUE(absl::IsDataLoss(CheckLogs(env_.get(), "/store")));
  Write("MANIFEST-000005", Record("current"));
  Write("000004.log", FullBlock() + damaged);
  const absl::Status status = CheckLogs(env_.get(), "/store");
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(LogFilesTest, AnEmptyDirectoryIsSound) { EXPECT_TRUE(CheckLogs(env_.get(), "/store").ok()); }

}  // namespace
}  // namespace bellwire::registry
