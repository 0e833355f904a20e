#include "cli/commands/shell_command.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace bellwire::cli {
namespace {

class ShellCommandTest : public testing::Test {
 protected:
  ~ShellCommandTest() override { close(stop_fd_); }

  std::string Read(const std::string& name) const {
    std::ifstream in(dir_.path(name));
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void Stop() const {
    const uint64_t one = 1;
    ASSERT_EQ(write(stop_fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }
  // Starts a command, stops it once it has made the file `started`, and answers how it ended.
  absl::Status RunAndStop(const std::string& command) const {
    absl::Status status;
    std::thread runner([&] { status = RunShellCommand(command, {}, "", stop_fd_); });
    EXPECT_TRUE(tests::WaitUntil([&] { return !Read("started").empty(); }));
    Stop();
    runner.join();
    return status;
  }

  const TempDir dir_;
  const int stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

TEST_F(ShellCommandTest, HasTheInputAndTheEnvironment) {
  const std::string command = "(cat; printf %s \"$BELLWIRE_X\") > " + dir_.path("out");
  ASSERT_TRUE(RunShellCommand(command, {"BELLWIRE_X=from us"}, "payload ", stop_fd_).ok());
  EXPECT_EQ(Read("out"), "payload from us");
}

TEST_F(ShellCommandTest, NeedNotReadItsInput) {
  EXPECT_TRUE(RunShellCommand("exec <&-; true", {}, std::string(4096, 'x'), stop_fd_).ok());
}

TEST_F(ShellCommandTest, SaysHowItFailed) {
  const absl::Status exited = RunShellCommand("exit 3", {}, "", stop_fd_);
  EXPECT_EQ(exited.code(), absl::StatusCode::kInternal);
  EXPECT_NE(exited.message().find("ended with 3"), absl::string_view::npos) << exited;
  const absl::Status killed = RunShellCommand("kill -9 $$", {}, "", stop_fd_);
  EXPECT_NE(killed.message().find("Killed"), absl::string_view::npos) << killed;
}

TEST_F(ShellCommandTest, EndsWhenItIsTold) {
  const absl::Status status =
      RunAndStop("echo $$ > " + dir_.path("started") + "; sleep 1000; true");
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  // Nor does what it had started go on.
  EXPECT_TRUE(tests::WaitUntil([&] { return kill(-std::stoi(Read("started")), 0) != 0; }));
}

TEST_F(ShellCommandTest, IsKilledIfItWontEnd) {
  const absl::Status status = RunAndStop("trap '' TERM; echo $$ > " + dir_.path("started") +
                                         "; while true; do sleep 1000; done");
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
}

}  // namespace
}  // namespace bellwire::cli
