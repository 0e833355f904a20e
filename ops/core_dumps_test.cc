#include "ops/core_dumps.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace bellwire {
namespace {

// Whether the kernel dumps a process that crashes after it said so. nullopt: said nothing.
bool DumpsCore(std::optional<bool> allowed) {
  const pid_t child = fork();
  if (child == 0) {
    rlimit limit{};
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
    if (chdir(testing::TempDir().c_str()) != 0) _exit(1);
    if (allowed.has_value()) SetCoreDumps(*allowed);
    signal(SIGABRT, SIG_DFL);
    abort();
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  for (const std::string& name : {std::string("core"), "core." + std::to_string(child)}) {
    unlink((testing::TempDir() + "/" + name).c_str());
  }
  return WCOREDUMP(status);
}

TEST(CoreDumpsTest, AreForbiddenAndAllowed) {
  EXPECT_FALSE(DumpsCore(false));
  if (!DumpsCore(std::nullopt)) GTEST_SKIP() << "this machine makes no core dumps at all";
  EXPECT_TRUE(DumpsCore(true));
}

TEST(CoreDumpsTest, TheAttributeIsSet) {
  SetCoreDumps(false);
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
  SetCoreDumps(true);
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
}

}  // namespace
}  // namespace bellwire
