// An agent that has nothing to do sleeps: it is not woken besides its beats.

#include <dirent.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

// How often the threads of a process have been put to sleep (and so were woken) since they started.
int64_t CountSleeps(pid_t pid) {
  int64_t total = 0;
  const std::string tasks = absl::StrCat("/proc/", pid, "/task");
  DIR* const directory = opendir(tasks.c_str());
  if (directory == nullptr) return -1;
  while (const dirent* entry = readdir(directory)) {
    std::ifstream file(absl::StrCat(tasks, "/", entry->d_name, "/status"));
    for (std::string line; std::getline(file, line);) {
      constexpr absl::string_view kField = "voluntary_ctxt_switches:";
      int64_t switches = 0;
      if (absl::StartsWith(line, kField) &&
          absl::SimpleAtoi(line.substr(kField.size()), &switches)) {
        total += switches;
      }
    }
  }
  closedir(directory);
  return total;
}

// Whether the process sleeps through `span`.
bool SleepsFor(pid_t pid, absl::Duration span) {
  const int64_t before = CountSleeps(pid);
  const MonotonicTime start = RealClock()->Monotonic();
  return WaitUntil([&] {
           return CountSleeps(pid) != before || RealClock()->Monotonic() - start >= span;
         }) &&
         CountSleeps(pid) == before;
}

class IdleTest : public testing::Test {
 protected:
  void SetUp() override {
    auto fleet = Fleet::Start(Deployment::kEmbedded);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    for (int i = 0; i < kApps; ++i) app_ids_.push_back(absl::StrCat("com.example.app", i));
    ASSERT_TRUE(Provider::Create(*fleet_, app_ids_).ok());
  }

  static constexpr int kApps = 10;
  std::unique_ptr<Fleet> fleet_;
  std::vector<std::string> app_ids_;
};

TEST_F(IdleTest, AnAgentSleepsBetweenItsBeats) {
  Phone phone(*fleet_, "phone", {0});
  phone.SetMoreArguments({"--heartbeat_seconds", "3600"});
  ASSERT_TRUE(phone.Start().ok());
  std::vector<std::unique_ptr<App>> apps;
  for (const std::string& app_id : app_ids_) {
    apps.push_back(std::make_unique<App>(phone.socket_path(), app_id));
    ASSERT_NE(apps.back()->WaitForToken(), "");
  }
  // What the registrations left to do comes to an end; then nothing happens for long.
  constexpr absl::Duration kSpan = absl::Seconds(30);
  int attempts = 0;
  while (!SleepsFor(phone.agent().pid(), kSpan)) ASSERT_LT(++attempts, 3);
  std::printf("no wake-up in %s, after %d that were\n", absl::FormatDuration(kSpan).c_str(),
              attempts);
}

TEST_F(IdleTest, ABeatIsACoupleOfWakeUps) {
  Phone phone(*fleet_, "phone", {0});
  // The server's least.
  phone.SetMoreArguments({"--heartbeat_seconds", "10"});
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), app_ids_[0]);
  ASSERT_NE(app.WaitForToken(), "");
  const pid_t pid = phone.agent().pid();
  int attempts = 0;
  while (!SleepsFor(pid, absl::Seconds(3))) ASSERT_LT(++attempts, 10);
  const int64_t before = CountSleeps(pid);
  const MonotonicTime start = RealClock()->Monotonic();
  constexpr int kBeats = 3;
  ASSERT_TRUE(
      WaitUntil([&] { return RealClock()->Monotonic() - start > absl::Seconds(10 * kBeats + 1); }));
  const int64_t sleeps = CountSleeps(pid) - before;
  std::printf("%d wake-ups for %d beats\n", static_cast<int>(sleeps), kBeats);
  EXPECT_GE(sleeps, kBeats);
  // The timer, the answer; and a machine under load may split a read.
  EXPECT_LE(sleeps, 4 * kBeats + 2);
}

}  // namespace
}  // namespace bellwire::tests
