#include "ops/short_slices.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"
#include "ops/sched_attr.h"

namespace bellwire {
namespace {

sched_attr Attributes() {
  sched_attr attributes = {};
  EXPECT_EQ(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0), 0);
  return attributes;
}

TEST(ShortSlicesTest, AreForThisThreadAndThoseItStarts) {
  ASSERT_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
  const sched_attr before = Attributes();
  ASSERT_TRUE(AskForShortSlices().ok());
  const sched_attr after = Attributes();
  EXPECT_EQ(after.sched_policy, before.sched_policy);
  EXPECT_EQ(after.sched_nice, 5);
  if (before.sched_runtime == 0) GTEST_SKIP() << "this kernel has no slices to ask for";
  EXPECT_LT(after.sched_runtime, before.sched_runtime);
  sched_attr of_thread = {};
  std::thread([&] { of_thread = Attributes(); }).join();
  EXPECT_EQ(of_thread.sched_runtime, after.sched_runtime);
}

}  // namespace
}  // namespace bellwire
