#include "device-agent/core/state_directory.h"

#include <sys/stat.h>

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

TEST(StateDirectoryTest, IsPrivateAndHeldByOne) {
  const std::string path = testing::TempDir() + "/state";
  auto first = StateDirectory::Lock(path);
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_EQ((*first)->PathOf("inbox.db"), path + "/inbox.db");

  auto second = StateDirectory::Lock(path);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_EQ(ErrorReason(second.status()), "STATE_DIRECTORY_IN_USE");

  first->reset();
  auto third = StateDirectory::Lock(path);
  EXPECT_TRUE(third.ok()) << third.status();
}

TEST(StateDirectoryTest, SaysWhatIsWrong) {
  auto lock = StateDirectory::Lock("/proc/no/such/place");
  EXPECT_EQ(ErrorReason(lock.status()), "STATE_DIRECTORY_UNUSABLE");
  EXPECT_NE(lock.status().message().find("/proc/no/such/place"), absl::string_view::npos);
}

}  // namespace
}  // namespace bellwire::agent
