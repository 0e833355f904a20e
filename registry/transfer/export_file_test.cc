#include "registry/transfer/export_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

class ExportFileTest : public testing::Test {
 protected:
  ExportFileTest() { std::filesystem::create_directories(directory_.path()); }
  std::string path() const { return directory_.path() + "/export"; }
  bool Exists(const std::string& path) const { return std::filesystem::exists(path); }

  TempDir directory_;
};

TEST_F(ExportFileTest, ItHasItsNameOnceItIsWhole) {
  {
    const auto file = ExportFile::Create(path());
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Write("one ").ok());
    ASSERT_TRUE((*file)->Write("two").ok());
    EXPECT_FALSE(Exists(path()));
    ASSERT_TRUE((*file)->Finish().ok());
  }
  const auto file = ImportFile::Open(path());
  ASSERT_TRUE(file.ok()) << file.status();
  std::string bytes(4, '\0'), all;
  while (true) {
    const auto got = (*file)->Read(absl::MakeSpan(bytes));
    ASSERT_TRUE(got.ok());
    if (*got == 0) break;
    all += bytes.substr(0, *got);
  }
  EXPECT_EQ(all, "one two");
  struct stat info {};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ExportFileTest, WhatFailsLeavesNothing) {
  {
    const auto file = ExportFile::Create(path());
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Write("half").ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  std::ofstream(path() + ".unfinished") << "of one that was killed";
  EXPECT_TRUE(ExportFile::Create(path()).ok());
}

TEST_F(ExportFileTest, NothingIsOverwritten) {
  std::ofstream(path()) << "precious";
  EXPECT_EQ(ErrorReason(ExportFile::Create(path()).status()), "FILE_EXISTS");
  EXPECT_EQ(ErrorReason(ExportFile::Create("/nowhere/export").status()), "FILE_NOT_WRITTEN");
  EXPECT_EQ(ErrorReason(ImportFile::Open(path() + "x").status()), "NO_EXPORT");
  const auto directory = ImportFile::Open(directory_.path());
  ASSERT_TRUE(directory.ok());
  char byte = 0;
  EXPECT_EQ(ErrorReason((*directory)->Read(absl::MakeSpan(&byte, 1)).status()), "FILE_NOT_READ");
}

TEST_F(ExportFileTest, AFullDiskIsSaid) {
  // The device takes nothing.
  const int saved = dup(STDOUT_FILENO);
  const int full = open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  dup2(full, STDOUT_FILENO);
  const auto pipe = ExportFile::Create("-");
  const absl::Status written = (*pipe)->Write("x");
  dup2(saved, STDOUT_FILENO);
  close(full);
  close(saved);
  EXPECT_EQ(ErrorReason(written), "FILE_NOT_WRITTEN");
}

}  // namespace
}  // namespace bellwire::registry
