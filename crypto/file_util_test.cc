#include "crypto/file_util.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

using ::testing::HasSubstr;

class FileUtilTest : public ::testing::Test {
 protected:
  FileUtilTest() : directory_(::testing::TempDir() + "/file_util_test") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
  }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  mode_t ModeOf(const std::string& path) const {
    struct stat info;
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info.st_mode & 07777;
  }
  size_t FileCount() const {
    size_t n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_)) ++n;
    return n;
  }

  const std::string directory_;
};

TEST_F(FileUtilTest, CreatesWithTheModeAskedForWhateverTheUmask) {
  const mode_t before = umask(0777);
  EXPECT_TRUE(CreateFileAtomically(Path("secret"), "s", FileAccess::kPrivate).ok());
  EXPECT_TRUE(CreateFileAtomically(Path("open"), "o", FileAccess::kPublic).ok());
  umask(before);
  EXPECT_EQ(ModeOf(Path("secret")), 0600u);
  EXPECT_EQ(ModeOf(Path("open")), 0644u);
  EXPECT_EQ(FileCount(), 2u) << "a temporary file was left behind";
}

TEST_F(FileUtilTest, CreateLeavesAnExistingFileAlone) {
  ASSERT_TRUE(CreateFileAtomically(Path("f"), "first", FileAccess::kPrivate).ok());
  const absl::Status again = CreateFileAtomically(Path("f"), "second", FileAccess::kPrivate);
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrorReason(again), "FILE_EXISTS");
  EXPECT_EQ(ReadWholeFile(Path("f")).value(), "first");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileUtilTest, CreateDoesNotWriteThroughADanglingLink) {
  ASSERT_EQ(symlink(Path("elsewhere").c_str(), Path("f").c_str()), 0);
  EXPECT_EQ(ErrorReason(CreateFileAtomically(Path("f"), "x", FileAccess::kPrivate)), "FILE_EXISTS");
  EXPECT_FALSE(std::filesystem::exists(Path("elsewhere")));
}

TEST_F(FileUtilTest, ReplaceTakesThePlaceAndTheMode) {
  ASSERT_TRUE(CreateFileAtomically(Path("f"), "first", FileAccess::kPublic).ok());
  ASSERT_TRUE(ReplaceFileAtomically(Path("f"), "second", FileAccess::kPrivate).ok());
  EXPECT_EQ(ReadPrivateFile(Path("f")).value(), "second");
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(FileUtilTest, AnUnwritableDirectoryIsNamed) {
  const absl::Status status = CreateFileAtomically(Path("missing/f"), "x", FileAccess::kPrivate);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorReason(status), "FILE_NOT_WRITTEN");
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing/f"));
}

TEST_F(FileUtilTest, AMissingFileIsNotFound) {
  const auto read = ReadPrivateFile(Path("none"));
  EXPECT_EQ(read.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(read.status()), "FILE_NOT_FOUND");
}

TEST_F(FileUtilTest, ASecretThatOthersCanReadIsRefusedWithTheCommandThatHelps) {
  ASSERT_TRUE(CreateFileAtomically(Path("f"), "x", FileAccess::kPrivate).ok());
  for (const mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666}) {
    ASSERT_EQ(chmod(Path("f").c_str(), mode), 0);
    const auto read = ReadPrivateFile(Path("f"));
    EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition) << mode;
    EXPECT_EQ(ErrorReason(read.status()), "FILE_NOT_PRIVATE") << mode;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("chmod 600 " + Path("f")));
    EXPECT_TRUE(ReadWholeFile(Path("f")).ok()) << mode;
  }
  ASSERT_EQ(chmod(Path("f").c_str(), 0400), 0);
  EXPECT_TRUE(ReadPrivateFile(Path("f")).ok());
}

TEST_F(FileUtilTest, TheBoundIsReachable) {
  ASSERT_TRUE(
      ReplaceFileAtomically(Path("f"), std::string(kMaxKeyFileBytes, 'x'), FileAccess::kPrivate)
          .ok());
  EXPECT_EQ(ReadPrivateFile(Path("f")).value().size(), kMaxKeyFileBytes);
  ASSERT_TRUE(
      ReplaceFileAtomically(Path("f"), std::string(kMaxKeyFileBytes + 1, 'x'), FileAccess::kPrivate)
          .ok());
  EXPECT_EQ(ErrorReason(ReadPrivateFile(Path("f")).status()), "FILE_TOO_LARGE");
}

TEST_F(FileUtilTest, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(ErrorReason(ReadPrivateFile(Path("fifo")).status()), "FILE_NOT_READ");
  EXPECT_EQ(ErrorReason(ReadPrivateFile(directory_).status()), "FILE_NOT_READ");
}

}  // namespace
}  // namespace bellwire
