#include "registry/backup/backup_maker.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "crypto/file_util.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/init_data_dir.h"

namespace bellwire::registry {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class BackupMakerTest : public testing::Test {
 protected:
  BackupMakerTest() {
    EXPECT_TRUE(InitDataDir(DataDir(server_.path("store")), {"localhost"}, absl::UnixEpoch()).ok());
    MakeMaker(backup_dir_.path("store"));
  }

  void MakeMaker(const std::string& backup_dir) {
    maker_.emplace(BackupMaker::Options{
        .backup_dir = backup_dir,
        .data_dir = DataDir(server_.path("store")),
        .checkpoint = [this](const std::string& directory) { return checkpoint_(directory); }});
  }

  absl::StatusOr<admin::v1::BackupResponse> Make(const std::string& directory) {
    admin::v1::BackupRequest request;
    request.set_directory(directory);
    absl::StatusOr<admin::v1::BackupResponse> made;
    absl::Notification done;
    maker_->Make(request, [&](absl::StatusOr<admin::v1::BackupResponse> answer) {
      made = std::move(answer);
      done.Notify();
    });
    done.WaitForNotification();
    return made;
  }

  // What lies in the place for backups, hidden files too.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    if (!fs::exists(backup_dir_.path("store"))) return names;
    for (const auto& entry : fs::directory_iterator(backup_dir_.path("store"))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  const TempDir server_;
  const TempDir backup_dir_;
  std::function<absl::Status(const std::string&)> checkpoint_ = [](const std::string& directory) {
    fs::create_directory(directory);
    std::ofstream(directory + "/000007.sst") << "records";
    return absl::OkStatus();
  };
  std::optional<BackupMaker> maker_;
};

TEST_F(BackupMakerTest, ABackupHasTheStoreAndEveryKeyAsADataDirectoryHasThem) {
  const auto made = Make("monday");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->directory(), fs::path(backup_dir_.path("store") + "/monday").lexically_normal());
  const DataDir backup(made->directory());
  EXPECT_TRUE(CheckInitialised(backup).ok()) << CheckInitialised(backup);
  EXPECT_TRUE(HasContents(backup.registry() + "/000007.sst"));
  uint64_t bytes = 7;
  for (const std::string& file : DataDir::KeyFiles()) {
    const std::string original = absl::StrCat(server_.path("store"), "/", file);
    const std::string copy = absl::StrCat(made->directory(), "/", file);
    EXPECT_EQ(ReadWholeFile(copy).value(), ReadWholeFile(original).value()) << file;
    bytes += fs::file_size(copy);
    EXPECT_EQ(fs::status(copy).permissions(), fs::status(original).permissions()) << file;
  }
  EXPECT_EQ(made->files(), DataDir::KeyFiles().size() + 1);
  EXPECT_EQ(made->bytes(), bytes);
  EXPECT_EQ(fs::status(made->directory()).permissions(), fs::perms::owner_all);
  EXPECT_THAT(Names(), UnorderedElementsAre("monday"));
}

TEST_F(BackupMakerTest, OnlyRightBelowTheDirectoryForBackups) {
  for (const std::string directory :
       {"", ".", "..", "../monday", "a/b", ".hidden", "/etc/monday", "/", "a b", "-\n",
        std::string(65, 'a').c_str(), (backup_dir_.path("store") + "/a/b").c_str(),
        (backup_dir_.path("store") + "/../monday").c_str(), backup_dir_.path("store").c_str()}) {
    const auto made = Make(directory);
    EXPECT_EQ(ErrorReason(made.status()), "BAD_BACKUP_DIRECTORY") << directory << made.status();
  }
  EXPECT_THAT(Names(), UnorderedElementsAre());
  EXPECT_TRUE(Make(backup_dir_.path("store") + "/monday").ok()) << "the whole path is as good";
  EXPECT_THAT(Names(), UnorderedElementsAre("monday"));
}

TEST_F(BackupMakerTest, NoBackupTakesThePlaceOfAnother) {
  ASSERT_TRUE(Make("monday").ok());
  EXPECT_EQ(ErrorReason(Make("monday").status()), "BACKUP_EXISTS");
  EXPECT_TRUE(Make("tuesday").ok());
  EXPECT_THAT(Names(), UnorderedElementsAre("monday", "tuesday"));
}

TEST_F(BackupMakerTest, AServerThatWasGivenNoPlaceMakesNone) {
  MakeMaker("");
  const auto made = Make("monday");
  EXPECT_EQ(ErrorReason(made.status()), "BACKUPS_OFF");
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("--backup_dir"));
}

TEST_F(BackupMakerTest, APlaceWhereNoneCanBeMadeIsToldBeforehand) {
  const std::string store = DataDir(server_.path("store")).registry();
  const std::string good = backup_dir_.path("store");
  fs::create_directories(good);
  for (const std::string& dir : {good, good + "/new", server_.path("store") + "/backups"}) {
    EXPECT_TRUE(CheckBackupDir(dir, store).ok()) << CheckBackupDir(dir, store);
  }
  std::ofstream(good + "/file") << "x";
  fs::create_directory(store);
  fs::create_symlink(store, good + "/link");
  for (const std::string& dir : {good + "/file", good + "/file/x", std::string("/dev/null"),
                                 good + "/not/there", store, store + "/x", good + "/link/x"}) {
    EXPECT_EQ(ErrorReason(CheckBackupDir(dir, store)), "BAD_BACKUP_DIR") << dir;
  }
}

TEST_F(BackupMakerTest, WhatFailsLeavesNothingAndTheNextOneGoes) {
  const auto works = checkpoint_;
  checkpoint_ = [&](const std::string& directory) {
    EXPECT_TRUE(works(directory).ok());
    return absl::UnavailableError("No space left on device");
  };
  const auto full = Make("monday");
  EXPECT_EQ(ErrorReason(full.status()), "BACKUP_FAILED");
  EXPECT_THAT(std::string(full.status().message()), HasSubstr("No space left on device"));
  EXPECT_THAT(Names(), UnorderedElementsAre());

  checkpoint_ = works;
  const std::string keys = DataDir(server_.path("store")).token_keys();
  fs::rename(keys, keys + ".lost");
  EXPECT_EQ(ErrorReason(Make("monday").status()), "BACKUP_FAILED") << "its tokens would be dead";
  EXPECT_THAT(Names(), UnorderedElementsAre());
  fs::rename(keys + ".lost", keys);
  EXPECT_TRUE(Make("monday").ok());
}

TEST_F(BackupMakerTest, WhatACrashLeftGoesWithTheNextBackup) {
  fs::create_directories(backup_dir_.path("store") + "/.sunday.unfinished/registry");
  fs::create_directories(backup_dir_.path("store") + "/saturday/registry");
  ASSERT_TRUE(Make("monday").ok());
  EXPECT_THAT(Names(), UnorderedElementsAre("saturday", "monday"));
}

TEST_F(BackupMakerTest, OneAtATime) {
  absl::Notification began;
  absl::Notification go_on;
  const auto works = checkpoint_;
  checkpoint_ = [&](const std::string& directory) {
    began.Notify();
    go_on.WaitForNotification();
    return works(directory);
  };
  admin::v1::BackupRequest request;
  request.set_directory("monday");
  absl::StatusOr<admin::v1::BackupResponse> monday;
  absl::Notification done;
  maker_->Make(request, [&](absl::StatusOr<admin::v1::BackupResponse> answer) {
    monday = std::move(answer);
    done.Notify();
  });
  began.WaitForNotification();
  EXPECT_EQ(ErrorReason(Make("tuesday").status()), "BACKUP_RUNNING");
  go_on.Notify();
  done.WaitForNotification();
  EXPECT_TRUE(monday.ok()) << monday.status();
  checkpoint_ = works;
  EXPECT_TRUE(Make("tuesday").ok());
}

}  // namespace
}  // namespace bellwire::registry
