#include "cli/web_push/trial_firefox.h"

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace bellwire::cli {
namespace {

namespace fs = std::filesystem;
using tests::WaitUntil;

class TrialFirefoxTest : public testing::Test {
 protected:
  // A program in Firefox's place, with a helper, that does what `script` says.
  absl::Status Start(const std::string& script) {
    const std::string program = dir_.path("firefox");
    std::ofstream(program) << "#!/bin/sh\n" << script;
    chmod(program.c_str(), 0755);
    fs::create_directory(dir_.path("state"));
    auto firefox = TrialFirefox::Start({.program = program,
                                        .directory = dir_.path("state"),
                                        .push_server = "ws://127.0.0.1:1/secret",
                                        .url = "http://localhost:2/",
                                        .clock = RealClock()});
    if (!firefox.ok()) return firefox.status();
    firefox_ = *std::move(firefox);
    return absl::OkStatus();
  }
  // Of the only profile; empty: there is none.
  std::string Read(const std::string& name) {
    for (const auto& entry : fs::directory_iterator(dir_.path("state"))) {
      std::ifstream file(entry.path() / name);
      std::stringstream text;
      text << file.rdbuf();
      return text.str();
    }
    return "";
  }

  TempDir dir_;
  std::unique_ptr<TrialFirefox> firefox_;
};

TEST_F(TrialFirefoxTest, HasAProfileOfItsOwnThatGoesWithIt) {
  ASSERT_TRUE(Start("echo \"$@\" >\"$4/arguments\"\nexec tail -f /dev/null\n").ok());
  EXPECT_TRUE(firefox_->running());
  const std::string settings = Read("user.js");
  EXPECT_TRUE(absl::StrContains(settings, "permissions.default.desktop-notification")) << settings;
  EXPECT_TRUE(absl::StrContains(settings, "ws://127.0.0.1:1/secret")) << settings;
  ASSERT_TRUE(WaitUntil([this] { return absl::EndsWith(Read("arguments"), "\n"); }));
  EXPECT_TRUE(absl::StrContains(Read("arguments"), "--no-remote --profile ")) << Read("arguments");
  EXPECT_TRUE(absl::EndsWith(Read("arguments"), " http://localhost:2/\n")) << Read("arguments");
  firefox_ = nullptr;
  EXPECT_TRUE(fs::is_empty(dir_.path("state")));
}

TEST_F(TrialFirefoxTest, OneThatEndsSaysWhy) {
  ASSERT_TRUE(Start("echo 'Error: cannot open display' >&2\necho >&2\nexit 1\n").ok());
  ASSERT_TRUE(WaitUntil([this] { return !firefox_->running(); }));
  EXPECT_EQ(firefox_->LastWords(), "Error: cannot open display");
}

TEST_F(TrialFirefoxTest, ItsHelpersEndWithIt) {
  ASSERT_TRUE(Start("tail -f /dev/null & echo $! >\"$4/helper\"\nwait\n").ok());
  ASSERT_TRUE(WaitUntil([this] { return absl::EndsWith(Read("helper"), "\n"); }));
  const pid_t helper = static_cast<pid_t>(std::stoi(Read("helper")));
  EXPECT_EQ(kill(helper, 0), 0);
  firefox_ = nullptr;
  EXPECT_TRUE(WaitUntil([helper] { return kill(helper, 0) != 0; }));
}

TEST_F(TrialFirefoxTest, WithoutAFirefoxItSaysWhatToDo) {
  const auto none = TrialFirefox::Start(
      {.program = dir_.path("nothing"), .directory = dir_.path("."), .clock = RealClock()});
  EXPECT_TRUE(absl::IsNotFound(none.status())) << none.status();
}

}  // namespace
}  // namespace bellwire::cli
