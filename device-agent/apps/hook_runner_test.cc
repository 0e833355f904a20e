#include "device-agent/apps/hook_runner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/apps/app_key.h"
#include "gtest/gtest.h"
#include "net/loop/run_loop_until.h"

namespace bellwire::agent {
namespace {

class HookRunnerTest : public testing::Test {
 protected:
  std::string Script(const std::string& name, const std::string& body) {
    const std::string path = dir_.path(name);
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    return path;
  }
  std::string Text(const std::string& name) {
    std::ifstream file(dir_.path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  HookRunner Runner(const std::string& program, absl::Duration timeout = kHookTimeout) {
    return HookRunner(
        &loop_, program, [this](const std::string& app) { ended_.push_back(app); }, timeout);
  }
  bool WaitForEnds(size_t n) {
    return net::RunLoopUntil(&loop_, [&] { return ended_.size() >= n; });
  }

  TempDir dir_;
  net::EpollLoop loop_{RealClock()};
  std::vector<std::string> ended_;
};

TEST_F(HookRunnerTest, IsToldTheAppAndItsUserAndNothingOfTheService) {
  setenv("NOTIFY_SOCKET", "/run/nowhere", 1);
  HookRunner runner = Runner(
      Script("hook", "echo \"$# $1 $BELLWIRE_APP_UID $BELLWIRE_APP_SANDBOX [$NOTIFY_SOCKET]\" > " +
                         dir_.path("out")));
  const AppOwner owner(1234, "flatpak:mail");
  ASSERT_TRUE(runner.Run(AppKey(owner, "com.example.mail"), owner));
  EXPECT_TRUE(ended_.empty()) << "nobody waits for it";
  ASSERT_TRUE(WaitForEnds(1));
  unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(ended_, std::vector<std::string>{"app:1234:flatpak:mail:com.example.mail"});
  EXPECT_EQ(Text("out"), "1 com.example.mail 1234 flatpak:mail []\n");
}

TEST_F(HookRunnerTest, OneThatHangsIsKilledWithItsChildrenAndHoldsUpNobody) {
  HookRunner runner = Runner(Script("hook", "[ $1 = quick.app ] || { sleep 1000 & echo $! > " +
                                                dir_.path("child") + "; wait; }"),
                             absl::Milliseconds(500));
  ASSERT_TRUE(runner.Run("hanging.app", 1));
  ASSERT_TRUE(runner.Run("quick.app", 1));
  ASSERT_TRUE(WaitForEnds(1));
  EXPECT_EQ(ended_, std::vector<std::string>{"quick.app"});
  ASSERT_TRUE(WaitForEnds(2));
  const pid_t child = static_cast<pid_t>(std::stoi(Text("child")));
  // A zombie of somebody else's, or gone.
  EXPECT_TRUE(net::RunLoopUntil(&loop_, [&] {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string text;
    return !std::getline(stat, text) || text.find(") Z") != std::string::npos;
  }));
}

TEST_F(HookRunnerTest, OneThatFailsHasEndedAsWell) {
  HookRunner runner = Runner(Script("hook", "exit 3"));
  ASSERT_TRUE(runner.Run("com.example.mail", 1));
  EXPECT_TRUE(WaitForEnds(1));
}

TEST_F(HookRunnerTest, WhatIsNoProgramIsNotRun) {
  HookRunner runner = Runner(dir_.path("nothing"));
  EXPECT_FALSE(runner.Run("com.example.mail", 1));
  HookRunner other = Runner(Script("hook", "exit 0"));
  EXPECT_FALSE(other.Run("-rf.app", 1)) << "an option";
}

TEST_F(HookRunnerTest, ItsEndKillsWhatRuns) {
  HookRunner* runner = new HookRunner(Runner(Script("hook", "sleep 1000")));
  ASSERT_TRUE(runner->Run("com.example.mail", 1));
  delete runner;  // Returns.
}

}  // namespace
}  // namespace bellwire::agent
