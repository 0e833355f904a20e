// Things that go wrong with a user's companion, done to a real one on purpose: `bellwire doctor`
// names the cause of each and what to do.

#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/doctor/testing/box.h"
#include "common/testing/temp_dir.h"
#include "device-agent/companion/browser/browser_door.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDbusDaemon[] = "/usr/bin/dbus-daemon";

// A session bus, and on it a companion whose agent is away.
class BrokenCompanionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access(kDbusDaemon, X_OK) != 0) GTEST_SKIP() << "there is no " << kDbusDaemon;
    auto bus = Process::Start("bus", kDbusDaemon,
                              {"--session", "--nofork", absl::StrCat("--address=", Bus())});
    ASSERT_TRUE(bus.ok()) << bus.status();
    bus_ = std::move(*bus);
    ASSERT_TRUE(WaitUntil([&] { return access(dir_.path("bus").c_str(), F_OK) == 0; }));
    StartCompanion();
  }
  void StartCompanion() {
    setenv("DBUS_SESSION_BUS_ADDRESS", Bus().c_str(), /*overwrite=*/1);
    unlink(dir_.path("ready").c_str());
    auto companion = Process::Start("companion", "device-agent/companion/bellwire-companion",
                                    {"--state_dir", State(), "--socket", dir_.path("none"),
                                     "--ready_file", dir_.path("ready")});
    ASSERT_TRUE(companion.ok()) << companion.status();
    companion_ = std::move(*companion);
    ASSERT_TRUE(companion_->WaitReady(dir_.path("ready")).ok());
  }

  std::string Bus() const { return absl::StrCat("unix:path=", dir_.path("bus")); }
  std::string State() const { return dir_.path("state"); }
  std::string Door() const { return companion::BrowserDoorPath(State()); }
  Diagnosis Look() const { return LookWithBus(Bus()); }
  Diagnosis LookWithBus(const std::string& bus) const {
    return Diagnose(absl::StrCat("--companion_dir ", State()),
                    bus.empty() ? "" : absl::StrCat("DBUS_SESSION_BUS_ADDRESS=", bus));
  }
  static void ExpectFinding(const Diagnosis& diagnosis, const std::string& cause,
                            const std::string& what, const std::string& to_do) {
    ASSERT_THAT(diagnosis.causes(), ElementsAre(absl::StrCat("companion ", cause))) << diagnosis;
    EXPECT_THAT(diagnosis.findings[0].what, HasSubstr(what));
    EXPECT_THAT(diagnosis.findings[0].to_do, HasSubstr(to_do));
    EXPECT_EQ(diagnosis.exit_code, diagnosis.findings[0].severity == "problem" ? 1 : 0);
  }

  const TempDir dir_;
  std::unique_ptr<Process> bus_;
  std::unique_ptr<Process> companion_;
};

TEST_F(BrokenCompanionTest, AHealthyOneHasNoFinding) {
  const Diagnosis diagnosis = Look();
  EXPECT_EQ(diagnosis.exit_code, 0) << diagnosis;
  EXPECT_THAT(diagnosis.findings, IsEmpty()) << diagnosis;
  EXPECT_THAT(diagnosis.parts, ElementsAre("companion"));
  EXPECT_THAT(Show(absl::StrCat("status --companion_dir ", State()),
                   absl::StrCat("DBUS_SESSION_BUS_ADDRESS=", Bus())),
              HasSubstr(absl::StrCat("companion  running        pid ", companion_->pid())));
}

TEST_F(BrokenCompanionTest, ThereIsNoSessionBus) {
  companion_->Kill();
  ExpectFinding(LookWithBus(""), "NO_SESSION_BUS", "has no session bus", "enable-linger");
}

TEST_F(BrokenCompanionTest, TheSessionBusIsDead) {
  companion_->Kill();
  bus_->Kill();
  ExpectFinding(Look(), "SESSION_BUS_DEAD", "nobody answers on the session bus",
                "systemctl --user restart dbus");
}

TEST_F(BrokenCompanionTest, ItDoesNotRun) {
  companion_->Kill();
  ExpectFinding(Look(), "COMPANION_NOT_RUNNING", "does not run",
                "systemctl --user enable --now bellwire-companion");
}

TEST_F(BrokenCompanionTest, ItWasStopped) {
  companion_->Freeze();
  const Diagnosis diagnosis = Look();
  companion_->Thaw();
  ExpectFinding(diagnosis, "COMPANION_STOPPED", "stopped by a signal",
                absl::StrCat("kill -CONT ", companion_->pid()));
}

TEST_F(BrokenCompanionTest, OthersMayReadTheBrowsersSecret) {
  chmod(Door().c_str(), 0644);
  ExpectFinding(Look(), "BROWSER_SECRET_NOT_PRIVATE", "mode 0644", "chmod 600");
}

TEST_F(BrokenCompanionTest, TheBrowsersFileIsGarbage) {
  WriteText(Door(), "{}");
  ExpectFinding(Look(), "BROWSER_DOOR_BROKEN", "no port and secret", "remove it");
}

TEST_F(BrokenCompanionTest, AnotherProgramHasTheBrowsersPort) {
  const auto door = companion::LoadOrCreateBrowserDoor(Door());
  ASSERT_TRUE(door.ok());
  companion_->Kill();
  const OtherProgram other(door->port);
  ASSERT_NO_FATAL_FAILURE(StartCompanion());
  ExpectFinding(Look(), "BROWSER_PORT_TAKEN", absl::StrCat("pid ", getpid()), "stop that program");
}

}  // namespace
}  // namespace bellwire::tests
