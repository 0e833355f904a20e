#include "registry/engine/rocksdb/gradual_deletion.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

constexpr uint64_t kBytes = 2 * GradualDeletion::kStepBytes + 1;

class GradualDeletionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(directory_.path("store"));
    std::ofstream(path_) << std::string(kBytes, 'x');
  }

  const TempDir directory_;
  const std::string path_ = absl::StrCat(directory_.path("store"), "/000010.sst");
  GradualDeletion files_{rocksdb::FileSystem::Default()};
};

TEST_F(GradualDeletionTest, NothingIsLeftOfIt) {
  const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  EXPECT_TRUE(files_.DeleteFile(path_, rocksdb::IOOptions(), nullptr).ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  struct stat status;
  ASSERT_EQ(fstat(file, &status), 0);
  EXPECT_EQ(status.st_size, 0) << "it goes before the last who has it open lets go";
  close(file);
}

TEST_F(GradualDeletionTest, UnderAnotherNameItStaysWhole) {
  const std::string other = absl::StrCat(directory_.path("store"), "/backup.sst");
  std::filesystem::create_hard_link(path_, other);
  EXPECT_TRUE(files_.DeleteFile(path_, rocksdb::IOOptions(), nullptr).ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(std::filesystem::file_size(other), kBytes);
}

TEST_F(GradualDeletionTest, WhatALinkPointsToStaysWhole) {
  const std::string link = absl::StrCat(directory_.path("store"), "/link.sst");
  std::filesystem::create_symlink(path_, link);
  EXPECT_TRUE(files_.DeleteFile(link, rocksdb::IOOptions(), nullptr).ok());
  EXPECT_FALSE(std::filesystem::is_symlink(link));
  EXPECT_EQ(std::filesystem::file_size(path_), kBytes);
}

TEST_F(GradualDeletionTest, SaysThatThereIsNone) {
  EXPECT_TRUE(files_
                  .DeleteFile(absl::StrCat(directory_.path("store"), "/none"), rocksdb::IOOptions(),
                              nullptr)
                  .IsPathNotFound());
}

// What is not deleted for another reason is not shortened either.
class Undeletable final : public rocksdb::FileSystemWrapper {
 public:
  Undeletable() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "Undeletable"; }
  rocksdb::IOStatus DeleteFile(const std::string&, const rocksdb::IOOptions&,
                               rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::IOError();
  }
};

TEST_F(GradualDeletionTest, WhatIsNotDeletedStaysWhole) {
  GradualDeletion files(std::make_shared<Undeletable>());
  EXPECT_TRUE(files.DeleteFile(path_, rocksdb::IOOptions(), nullptr).IsIOError());
  EXPECT_EQ(std::filesystem::file_size(path_), kBytes);
}

}  // namespace
}  // namespace bellwire::registry
