#include "device-agent/core/release_code.h"

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

// Kilobytes of files that are mapped and resident.
size_t ResidentFileKb() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("RssFile:", 0) == 0) return std::stoul(line.substr(8));
  }
  return 0;
}

TEST(ReleaseCodeTest, LetsGoOfCodeAndTheProcessRunsOn) {
  const size_t before = ResidentFileKb();
  ASSERT_GT(before, 0u);
  EXPECT_GT(ReleaseCode(), 0u);
  EXPECT_LT(ResidentFileKb(), before);
  // Through code that was dropped, exceptions and relocated data too.
  EXPECT_THROW((void)std::stoul("none"), std::invalid_argument);
  EXPECT_GT(ReleaseCode(), 0u);
}

}  // namespace
}  // namespace bellwire::agent
