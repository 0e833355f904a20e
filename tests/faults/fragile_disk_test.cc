#include "tests/faults/fragile_disk.h"

#include <errno.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include "common/testing/temp_dir.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSubsetOf;
using ::testing::StartsWith;

class FragileDiskTest : public testing::Test {
 protected:
  FragileDiskTest() { PowerOn(); }

  void PowerOn(uint64_t seed = 1) {
    disk_.reset();
    disk_ = std::make_unique<FragileDisk>(
        FragileDisk::Options{.root = dir_.path("disk"), .seed = seed});
  }
  void CutPower(uint64_t next_seed = 1) {
    disk_->CutPower();
    PowerOn(next_seed);
  }
  std::string Path(const std::string& name) { return disk_->root() + "/" + name; }
  // A file with its name and contents durable.
  void WriteDurably(const std::string& name, const std::string& contents) {
    std::shared_ptr<FragileDisk::File> file;
    ASSERT_EQ(disk_->Create(Path(name), &file), 0);
    ASSERT_EQ(disk_->Append(file.get(), contents), 0);
    ASSERT_EQ(disk_->Sync(file.get()), 0);
    ASSERT_EQ(disk_->SyncDirectory(), 0);
  }
  // What the process reads.
  std::string Contents(const std::string& name) {
    std::shared_ptr<FragileDisk::File> file;
    if (disk_->Open(Path(name), &file) != 0) return "(none)";
    std::string buffer(1000, '?');
    size_t got = 0;
    EXPECT_EQ(disk_->Read(file.get(), 0, buffer.size(), buffer.data(), &got), 0);
    return buffer.substr(0, got);
  }

  TempDir dir_;
  std::unique_ptr<FragileDisk> disk_;
};

TEST_F(FragileDiskTest, WhatWasSyncedSurvives) {
  WriteDurably("a", "hello");
  CutPower();
  EXPECT_EQ(Contents("a"), "hello");
  EXPECT_THAT(disk_->List(), ElementsAre("a"));
}

TEST_F(FragileDiskTest, WhatWasNotSyncedIsReadInTheProcessAndTornByACut) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    PowerOn(seed);
    WriteDurably("a", "durable ");
    std::shared_ptr<FragileDisk::File> file;
    ASSERT_EQ(disk_->Open(Path("a"), &file), 0);
    ASSERT_EQ(disk_->Append(file.get(), "tail"), 0);
    EXPECT_EQ(Contents("a"), "durable tail");
    EXPECT_EQ(disk_->Size(file.get()), 12u);
    CutPower();
    const std::string left = Contents("a");
    EXPECT_THAT("durable tail", StartsWith(left));
    EXPECT_THAT(left, StartsWith("durable "));
    outcomes.insert(left);
  }
  // Each length comes up.
  EXPECT_EQ(outcomes.size(), 5u);
}

TEST_F(FragileDiskTest, ASyncedFileIsGoneIfItsDirectoryWasNot) {
  int gone = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    PowerOn(seed);
    std::shared_ptr<FragileDisk::File> file;
    ASSERT_EQ(disk_->Create(Path("a"), &file), 0);
    ASSERT_EQ(disk_->Append(file.get(), "hello"), 0);
    ASSERT_EQ(disk_->Sync(file.get()), 0);
    CutPower();
    // Its name may have got there by itself; its bytes then are what was synced.
    if (disk_->Exists(Path("a"))) {
      EXPECT_EQ(Contents("a"), "hello");
    } else {
      ++gone;
    }
    std::filesystem::remove_all(disk_->root());
  }
  EXPECT_GT(gone, 0);
  EXPECT_LT(gone, 40);
}

TEST_F(FragileDiskTest, RenamesAndRemovalsComeBackInOrder) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    PowerOn(seed);
    WriteDurably("current", "old");
    WriteDurably("next", "new");
    ASSERT_EQ(disk_->Rename(Path("next"), Path("current")), 0);
    ASSERT_EQ(disk_->Remove(Path("current")), 0);
    EXPECT_FALSE(disk_->Exists(Path("current")));
    CutPower();
    outcomes.insert(Contents("current") + " " + Contents("next"));
    std::filesystem::remove_all(disk_->root());
  }
  EXPECT_THAT(outcomes, ElementsAre("(none) (none)", "new (none)", "old new"));
}

TEST_F(FragileDiskTest, ASyncOfTheDirectoryMakesNamesDurable) {
  WriteDurably("a", "1");
  ASSERT_EQ(disk_->Rename(Path("a"), Path("b")), 0);
  ASSERT_EQ(disk_->SyncDirectory(), 0);
  CutPower();
  EXPECT_THAT(disk_->List(), ElementsAre("b"));
}

TEST_F(FragileDiskTest, TheRealDirectoryIsWhatACutWouldLeave) {
  WriteDurably("a", "1");
  std::shared_ptr<FragileDisk::File> file;
  ASSERT_EQ(disk_->Open(Path("a"), &file), 0);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(disk_->Append(file.get(), "x"), 0);
  std::ifstream real(Path("a"));
  const std::string bytes((std::istreambuf_iterator<char>(real)), std::istreambuf_iterator<char>());
  EXPECT_THAT(Contents("a"), StartsWith(bytes));
  EXPECT_THAT(bytes, StartsWith("1"));
}

TEST_F(FragileDiskTest, AnOpenFileOutlivesItsName) {
  WriteDurably("a", "still here");
  std::shared_ptr<FragileDisk::File> file;
  ASSERT_EQ(disk_->Open(Path("a"), &file), 0);
  ASSERT_EQ(disk_->Remove(Path("a")), 0);
  ASSERT_EQ(disk_->SyncDirectory(), 0);
  char buffer[10];
  size_t got = 0;
  EXPECT_EQ(disk_->Read(file.get(), 0, sizeof(buffer), buffer, &got), 0);
  EXPECT_EQ(std::string(buffer, got), "still here");
}

TEST_F(FragileDiskTest, AFullDiskTakesWhatFits) {
  WriteDurably("a", "");
  std::shared_ptr<FragileDisk::File> file;
  ASSERT_EQ(disk_->Open(Path("a"), &file), 0);
  disk_->SetFreeBytes(3);
  EXPECT_EQ(disk_->Append(file.get(), "hello"), ENOSPC);
  EXPECT_EQ(disk_->Append(file.get(), "x"), ENOSPC);
  EXPECT_EQ(Contents("a"), "hel");
  disk_->SetFreeBytes(std::nullopt);
  EXPECT_EQ(disk_->Append(file.get(), "p"), 0);
  EXPECT_EQ(Contents("a"), "help");
}

TEST_F(FragileDiskTest, FaultsComeAndGo) {
  WriteDurably("a", "hello");
  std::shared_ptr<FragileDisk::File> file;
  ASSERT_EQ(disk_->Open(Path("a"), &file), 0);
  char buffer[5];
  size_t got = 0;
  disk_->SetFailingReads(true);
  EXPECT_EQ(disk_->Read(file.get(), 0, 5, buffer, &got), EIO);
  disk_->SetFailingReads(false);
  EXPECT_EQ(disk_->Read(file.get(), 0, 5, buffer, &got), 0);
  disk_->SetFailingSyncs(true);
  EXPECT_EQ(disk_->Sync(file.get()), EIO);
  EXPECT_EQ(disk_->SyncDirectory(), EIO);
  disk_->SetFailingSyncs(false);
  EXPECT_EQ(disk_->Sync(file.get()), 0);
}

TEST_F(FragileDiskTest, NothingWorksWithoutPower) {
  WriteDurably("a", "hello");
  std::shared_ptr<FragileDisk::File> file;
  ASSERT_EQ(disk_->Open(Path("a"), &file), 0);
  disk_->CutPower();
  char buffer[5];
  size_t got = 0;
  EXPECT_EQ(disk_->Append(file.get(), "x"), EIO);
  EXPECT_EQ(disk_->Sync(file.get()), EIO);
  EXPECT_EQ(disk_->Read(file.get(), 0, 5, buffer, &got), EIO);
  EXPECT_EQ(disk_->Remove(Path("a")), EIO);
  EXPECT_EQ(disk_->SyncDirectory(), EIO);
}

TEST_F(FragileDiskTest, ABitFlips) {
  WriteDurably("a", "ABC");
  ASSERT_TRUE(FlipBit(Path("a"), 8));
  EXPECT_EQ(Contents("a"), "ACC");
  EXPECT_FALSE(FlipBit(Path("a"), 24));
  EXPECT_FALSE(FlipBit(Path("none"), 0));
}

}  // namespace
}  // namespace bellwire::tests
