// The store on a real disk without room, a tmpfs of a megabyte: it refuses, stays alive, and goes
// on by itself once there is room.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"

namespace bellwire::tests {
namespace {

namespace fs = std::filesystem;
using registry::Family;
using registry::RocksDbEngine;

class FullDiskTest : public testing::Test {
 protected:
  // Mounts of this process and its children are nobody else's.
  static void SetUpTestSuite() {
    can_mount_ = (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
                 mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }

  void SetUp() override {
    if (!can_mount_) GTEST_SKIP() << "this process may not mount a tmpfs";
    Mount("size=1m");
  }
  void TearDown() override {
    engine_.reset();
    if (can_mount_) umount2(disk_.c_str(), MNT_DETACH);
  }

  void Mount(const char* options) {
    fs::create_directories(disk_);
    umount2(disk_.c_str(), MNT_DETACH);
    ASSERT_EQ(mount("tmpfs", disk_.c_str(), "tmpfs", 0, options), 0);
  }

  size_t FreeBytes() {
    struct statvfs info;
    EXPECT_EQ(statvfs(disk_.c_str(), &info), 0);
    return info.f_bfree * info.f_bsize;
  }
  // Somebody else's file takes all but `left`.
  void FillUpTo(size_t left) {
    const size_t free = FreeBytes();
    const int fd = open((disk_ + "/ballast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    if (free > left) {
      ASSERT_EQ(posix_fallocate(fd, 0, static_cast<off_t>(free - left)), 0);
    }
    close(fd);
  }
  void MakeRoom() { fs::remove(disk_ + "/ballast"); }

  absl::Status Open() {
    engine_.reset();
    auto engine = RocksDbEngine::Open({.directory = disk_ + "/store", .clock = &clock_});
    if (!engine.ok()) return engine.status();
    engine_ = *std::move(engine);
    return absl::OkStatus();
  }
  absl::Status Put(const std::string& key) {
    return engine_->Commit({{{Family::kDevices, key}, std::string(1000, 'x')}});
  }
  size_t Files() {
    return static_cast<size_t>(std::distance(fs::directory_iterator(disk_ + "/store"), {}));
  }

  static bool can_mount_;
  const std::string disk_ = testing::TempDir() + "/full_disk";
  SimulatedClock clock_;
  std::unique_ptr<RocksDbEngine> engine_;
};

bool FullDiskTest::can_mount_ = false;

TEST_F(FullDiskTest, AStoreOnADiskKeptFullRefusesLivesAndRecovers) {
  for (const size_t left : {0, 4, 16, 32, 64, 128, 300}) {
    Mount("size=1m");
    ASSERT_TRUE(Open().ok());
    ASSERT_TRUE(Put("before").ok());
    FillUpTo(left * 1024);
    int taken = 0;
    int refused = 0;
    for (int i = 0; i < 400; ++i) {
      const absl::Status status = Put(absl::StrCat("k", taken));
      if (status.ok()) {
        ++taken;
        continue;
      }
      ++refused;
      ASSERT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE") << status;
      clock_.Advance(kStoreReopenInterval);
    }
    EXPECT_GE(refused, 50) << left << " KiB left";
    EXPECT_LE(Files(), 40u) << "attempts to open leave files behind; " << left << " KiB left";
    MakeRoom();
    clock_.Advance(kStoreReopenInterval);
    ASSERT_TRUE(Put("after").ok()) << left << " KiB left";
    // What was answered OK is there, after a start as well.
    ASSERT_TRUE(Open().ok());
    for (int i = 0; i < taken; ++i) {
      const auto value = engine_->Get(Family::kDevices, absl::StrCat("k", i));
      ASSERT_TRUE(value.ok() && value->has_value()) << i << " of " << taken;
    }
    for (const char* key : {"before", "after"}) {
      EXPECT_TRUE((*engine_->Get(Family::kDevices, key)).has_value()) << key;
    }
  }
}

TEST_F(FullDiskTest, AStartWithoutRoomSaysSoInOneLine) {
  for (const bool is_new : {true, false}) {
    for (const size_t left : {0, 4, 16, 32, 64, 128}) {
      Mount("size=1m");
      if (!is_new) {
        ASSERT_TRUE(Open().ok());
        ASSERT_TRUE(Put("before").ok());
        engine_.reset();
      }
      FillUpTo(left * 1024);
      const absl::Status status = Open();
      EXPECT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE") << status;
      EXPECT_NE(status.message().find("the disk is full"), absl::string_view::npos) << status;
      EXPECT_NE(status.message().find(disk_), absl::string_view::npos) << status;
      EXPECT_EQ(status.message().find('\n'), absl::string_view::npos) << status;
      MakeRoom();
      ASSERT_TRUE(Open().ok()) << left << " KiB left";
      if (!is_new) {
        EXPECT_TRUE((*engine_->Get(Family::kDevices, "before")).has_value());
      }
    }
  }
}

TEST_F(FullDiskTest, AStoreOnADiskThatIsReadOnlyIsNamed) {
  ASSERT_TRUE(Open().ok());
  engine_.reset();
  ASSERT_EQ(mount(nullptr, disk_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_NE(status.message().find("Read-only file system"), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find(disk_), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace bellwire::tests
