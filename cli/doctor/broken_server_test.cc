// Things that go wrong with a server, done to a real one on purpose: `bellwire doctor` names the
// cause of each and what to do.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/doctor/testing/box.h"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "crypto/certificates.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

// One server for all: each test breaks it and mends it.
class BrokenServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto fleet = Fleet::Start(Deployment::kEmbedded);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = fleet->release();
  }
  static void TearDownTestSuite() { delete fleet_; }

  static std::string InDir(const std::string& name) { return fleet_->data_dir() + "/" + name; }
  static std::string Flags() { return absl::StrCat("--data_dir ", fleet_->data_dir()); }
  static Diagnosis Look() { return Diagnose(Flags()); }

  // Exactly this cause, about this, said so and with this to do.
  static void ExpectFinding(const Diagnosis& diagnosis, const std::string& severity,
                            const std::string& cause, const std::string& subject,
                            const std::string& what, const std::string& to_do) {
    EXPECT_THAT(diagnosis.causes(), ElementsAre(absl::StrCat("server ", cause))) << diagnosis;
    EXPECT_EQ(diagnosis.exit_code, severity == "problem" ? 1 : 0) << diagnosis;
    EXPECT_THAT(diagnosis.findings, Contains(AllOf(Field(&SeenFinding::severity, severity),
                                                   Field(&SeenFinding::cause, cause),
                                                   Field(&SeenFinding::subject, HasSubstr(subject)),
                                                   Field(&SeenFinding::what, HasSubstr(what)),
                                                   Field(&SeenFinding::to_do, HasSubstr(to_do)))))
        << diagnosis;
  }

  static KeyAndCertificate Authority() {
    return {ReadText(InDir("ca.key")), ReadText(InDir("ca.pem"))};
  }
  // Puts a certificate for the server's own key in place, and has the server take it up.
  static void Issue(absl::Duration from, absl::Duration to) {
    const absl::Time now = RealClock()->WallNow();
    // An authority of the same key that was good at any time.
    const absl::StatusOr<KeyAndCertificate> ca = MakeCertificateAuthority(
        "bellwire CA", {now - absl::Hours(24 * 400), now + absl::Hours(24 * 400)},
        Authority().key_pem);
    ASSERT_TRUE(ca.ok()) << ca.status();
    LeafRequest request = {.common_name = "bellwire",
                           .dns_names = {"localhost"},
                           .ip_addresses = {"127.0.0.1"},
                           .server = true,
                           .validity = {now + from, now + to}};
    const auto pair = IssueCertificate(*ca, request, ReadText(InDir("server.key")));
    ASSERT_TRUE(pair.ok()) << pair.status();
    WriteText(InDir("server.pem"), pair->certificate_pem);
    Reload();
  }
  static void Reload() { kill(fleet_->gateway(0).pid(), SIGHUP); }
  // Looks until the server has taken up its certificate.
  static Diagnosis LookUntilReloaded() {
    Diagnosis diagnosis;
    EXPECT_TRUE(WaitUntil([&] {
      diagnosis = Look();
      return !testing::Value(diagnosis.causes(), Contains("server CERTIFICATE_NOT_RELOADED"));
    }));
    return diagnosis;
  }

  static Fleet* fleet_;
};
Fleet* BrokenServerTest::fleet_ = nullptr;

TEST_F(BrokenServerTest, AHealthyOneHasNoFinding) {
  const Diagnosis diagnosis = Look();
  EXPECT_EQ(diagnosis.exit_code, 0) << diagnosis;
  EXPECT_THAT(diagnosis.findings, IsEmpty()) << diagnosis;
  EXPECT_THAT(diagnosis.parts, ElementsAre("server"));
  EXPECT_THAT(Show(absl::StrCat("doctor ", Flags())), HasSubstr("healthy  looked at: server"));
  // Its ports, named, from elsewhere.
  const Diagnosis from_elsewhere =
      Diagnose(absl::StrCat("--server ", fleet_->provider_address(), " --device ",
                            fleet_->device_address(), " --ca ", fleet_->ca_file()));
  EXPECT_EQ(from_elsewhere.exit_code, 0) << from_elsewhere;
  EXPECT_THAT(from_elsewhere.findings, IsEmpty()) << from_elsewhere;
}

TEST_F(BrokenServerTest, StatusIsAPage) {
  const std::string page = Show(absl::StrCat("status ", Flags()));
  EXPECT_THAT(page, AllOf(HasSubstr("server     running"),
                          HasSubstr(absl::StrCat("pid ", fleet_->gateway(0).pid())),
                          HasSubstr("device port"), HasSubstr("provider port"),
                          HasSubstr("GiB disk free"), HasSubstr("healthy  nothing to do")));
  const auto json =
      nlohmann::json::parse(Show(absl::StrCat("status --json ", Flags())), nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["server"]["running"], true);
  EXPECT_EQ(json["server"]["data_dir"], fleet_->data_dir());
  EXPECT_EQ(json["server"]["ports"].size(), 2u);
  EXPECT_THAT(json["findings"], IsEmpty());
  EXPECT_FALSE(json.contains("agent"));
}

// Administrators at a port of their own: it is found, checked, and said to be it.
TEST(AdminPortTest, IsLookedAtToo) {
  const std::string address = absl::StrCat("127.0.0.1:", OtherProgram().port());
  Fleet::Options options;
  options.more_connector_arguments = {"--admin_listen", address};
  auto fleet = Fleet::Start(Deployment::kEmbedded, options);
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  const std::string flags = absl::StrCat("--data_dir ", (*fleet)->data_dir());
  const Diagnosis healthy = Diagnose(flags);
  EXPECT_EQ(healthy.exit_code, 0) << healthy;
  EXPECT_THAT(healthy.findings, IsEmpty()) << healthy;
  EXPECT_THAT(Show(absl::StrCat("status ", flags)),
              HasSubstr(absl::StrCat("admin port ", address, " answers")));
  const auto json = nlohmann::json::parse(Show(absl::StrCat("status --json ", flags)), nullptr,
                                          /*allow_exceptions=*/false);
  ASSERT_TRUE(json.is_object());
  int ports = 0;
  for (const auto& port : json["server"]["ports"]) {
    EXPECT_EQ(port["kind"] == "admin", port["address"] == address) << port;
    ++ports;
  }
  EXPECT_EQ(ports, 3);

  const std::string from_elsewhere =
      absl::StrCat("--admin ", address, " --ca ", (*fleet)->ca_file());
  EXPECT_EQ(Diagnose(from_elsewhere).exit_code, 0);
  (*fleet)->gateway(0).Freeze();
  const Diagnosis frozen = Diagnose(from_elsewhere);
  EXPECT_THAT(frozen.causes(), ElementsAre("server PORT_DOES_NOT_ANSWER")) << frozen;
  EXPECT_THAT(frozen.findings, Contains(Field(&SeenFinding::what, HasSubstr("the admin port"))));
  (*fleet)->gateway(0).Thaw();
  (*fleet)->gateway(0).Kill();
  EXPECT_THAT(Diagnose(from_elsewhere).causes(), ElementsAre("server PORT_CLOSED"));
}

TEST_F(BrokenServerTest, NothingOfBellwireIsThere) {
  const Diagnosis diagnosis = Diagnose("");
  EXPECT_EQ(diagnosis.exit_code, 2) << diagnosis;
  EXPECT_THAT(diagnosis.text, HasSubstr("nothing of Bellwire"));
}

// --- Files. ---

TEST_F(BrokenServerTest, TheDirectoryIsMissing) {
  ExpectFinding(Diagnose("--data_dir /nonexistent/data"), "problem", "DATA_DIR_MISSING",
                "/nonexistent/data", "there is no data directory", "bellwire init");
}

TEST_F(BrokenServerTest, TheDirectoryIsEmpty) {
  const TempDir dir;
  ExpectFinding(Diagnose(absl::StrCat("--data_dir ", dir.path())), "problem", "NOT_INITIALISED",
                dir.path(), "nothing of a server", "bellwire init");
}

TEST_F(BrokenServerTest, OthersMayLookIntoTheDirectory) {
  const Changed restore(fleet_->data_dir());
  chmod(fleet_->data_dir().c_str(), 0755);
  ExpectFinding(Look(), "warning", "DATA_DIR_NOT_PRIVATE", fleet_->data_dir(), "mode 0755",
                "chmod 700");
}

TEST_F(BrokenServerTest, OthersMayReadAKey) {
  const Changed restore(InDir("server.key"));
  chmod(InDir("server.key").c_str(), 0644);
  ExpectFinding(Look(), "problem", "KEY_NOT_PRIVATE", "server.key", "mode 0644", "chmod 600");
}

TEST_F(BrokenServerTest, AKeyBelongsToAnotherUser) {
  const Changed restore(InDir("admin.token"));
  if (chown(InDir("admin.token").c_str(), 65534, static_cast<gid_t>(-1)) != 0) {
    GTEST_SKIP() << "this process may not give files away";
  }
  ExpectFinding(Look(), "problem", "KEY_OF_ANOTHER_USER", "admin.token", "belongs to user 65534",
                "chown ");
}

TEST_F(BrokenServerTest, TheTokenKeysAreLost) {
  const Changed restore(InDir("token.keys"));
  unlink(InDir("token.keys").c_str());
  ExpectFinding(Look(), "problem", "TOKEN_KEYS_LOST", "token.keys", "every device token is dead",
                "from a backup");
}

TEST_F(BrokenServerTest, AFileIsEmpty) {
  const Changed restore(InDir("admin.token"));
  WriteText(InDir("admin.token"), "");
  ExpectFinding(Look(), "problem", "FILE_MISSING", "admin.token", "nothing is in",
                "bellwire init --repair");
}

// --- Certificates. ---

TEST_F(BrokenServerTest, TheCertificateHasEnded) {
  {
    const Changed restore(InDir("server.pem"));
    Issue(-absl::Hours(48), -absl::Hours(1));
    const Diagnosis diagnosis = LookUntilReloaded();
    ExpectFinding(diagnosis, "problem", "CERTIFICATE_EXPIRED", "server.pem", "ended",
                  "bellwire cert renew");
    // The ports go on with the one before.
    EXPECT_EQ(diagnosis.findings.size(), 1u) << diagnosis;
  }
  Reload();
  EXPECT_THAT(LookUntilReloaded().findings, IsEmpty());
}

TEST_F(BrokenServerTest, TheCertificateIsNotYetValid) {
  {
    const Changed restore(InDir("server.pem"));
    Issue(absl::Hours(24), absl::Hours(48));
    ExpectFinding(LookUntilReloaded(), "problem", "CERTIFICATE_NOT_YET_VALID", "server.pem",
                  "the clock says", "set the clock");
  }
  Reload();
  EXPECT_THAT(LookUntilReloaded().findings, IsEmpty());
}

TEST_F(BrokenServerTest, TheCertificateEndsSoon) {
  {
    const Changed restore(InDir("server.pem"));
    Issue(-absl::Hours(24), absl::Hours(24 * 10));
    ExpectFinding(LookUntilReloaded(), "warning", "CERTIFICATE_EXPIRES_SOON", "server.pem",
                  "in 9 days", "bellwire cert renew");
  }
  Reload();
  EXPECT_THAT(LookUntilReloaded().findings, IsEmpty());
}

TEST_F(BrokenServerTest, ARenewedCertificateWasNotTakenUp) {
  const Changed restore(InDir("server.pem"));
  const Changed restore_node(InDir("internal/node.pem"));
  Show(absl::StrCat("cert renew --data_dir ", fleet_->data_dir(), " #"));
  ExpectFinding(Look(), "warning", "CERTIFICATE_NOT_RELOADED", "127.0.0.1:", "an older certificate",
                absl::StrCat("kill -HUP ", fleet_->gateway(0).pid()));
}

TEST_F(BrokenServerTest, TheCertificateIsGarbage) {
  const Changed restore(InDir("server.pem"));
  WriteText(InDir("server.pem"), "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n");
  ExpectFinding(Look(), "problem", "CERTIFICATE_BROKEN", "server.pem", "no certificate",
                "from a backup");
}

TEST_F(BrokenServerTest, TheKeyIsNotTheCertificates) {
  const Changed restore(InDir("server.key"));
  WriteText(InDir("server.key"), ReadText(InDir("ca.key")));
  ExpectFinding(Look(), "problem", "KEY_DOES_NOT_FIT", "server.pem", "is not the key of",
                "from a backup");
}

TEST_F(BrokenServerTest, TheNodesCertificateIsOfAnotherAuthority) {
  const Changed restore(InDir("internal/node.pem"));
  const Changed restore_key(InDir("internal/node.key"));
  WriteText(InDir("internal/node.pem"), ReadText(InDir("server.pem")));
  WriteText(InDir("internal/node.key"), ReadText(InDir("server.key")));
  ExpectFinding(Look(), "problem", "CERTIFICATE_OF_ANOTHER_CA", "internal/node.pem",
                "was not issued by", "copy internal/");
}

// --- The machine. ---

TEST_F(BrokenServerTest, TheClockWentBack) {
  const std::string file = InDir("from_the_future");
  WriteText(file, "");
  const timespec times[2] = {absl::ToTimespec(RealClock()->WallNow()),
                             absl::ToTimespec(RealClock()->WallNow() + absl::Hours(3))};
  ASSERT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  ExpectFinding(Look(), "problem", "CLOCK_BEHIND", fleet_->data_dir(), "2 h 59 min from now",
                "set the clock");
  unlink(file.c_str());
}

TEST_F(BrokenServerTest, TheClockDiffersFromTheServers) {
  const Diagnosis diagnosis =
      Diagnose(absl::StrCat("--server ", fleet_->provider_address(), " --ca ", fleet_->ca_file()),
               absl::StrCat("BELLWIRE_TEST_CLOCK_SHIFT=7200 LD_PRELOAD=",
                            fs::absolute("cli/doctor/testing/shifted_clock.so").string()));
  ExpectFinding(diagnosis, "problem", "CLOCK_DIFFERS", fleet_->provider_address(),
                "ahead of the server's", "timedatectl");
}

// --- The process and its ports. ---

TEST_F(BrokenServerTest, AProcessOfItWasStopped) {
  fleet_->gateway(0).Freeze();
  const Diagnosis diagnosis = Look();
  fleet_->gateway(0).Thaw();
  EXPECT_EQ(diagnosis.exit_code, 1);
  EXPECT_THAT(diagnosis.causes(),
              ElementsAre("server PORT_DOES_NOT_ANSWER", "server SERVER_STOPPED"))
      << diagnosis;
  EXPECT_THAT(diagnosis.findings,
              Contains(Field(&SeenFinding::to_do,
                             HasSubstr(absl::StrCat("kill -CONT ", fleet_->gateway(0).pid())))));
}

TEST_F(BrokenServerTest, NobodyListensAtThePortThatWasNamed) {
  ExpectFinding(Diagnose(absl::StrCat(Flags(), " --device 127.0.0.1:1")), "problem", "PORT_CLOSED",
                "127.0.0.1:1", "nothing listens", "start the server");
}

TEST_F(BrokenServerTest, TheDevicePortIsTakenForTheProviderPort) {
  ExpectFinding(Diagnose(absl::StrCat(Flags(), " --server ", fleet_->device_address())), "problem",
                "WRONG_PORT", fleet_->device_address(), "is no provider port", "usually 7443");
}

// A server of its own, in a directory that is made with `init`.
class StoppedServerTest : public testing::Test {
 protected:
  void SetUp() override {
    Show(absl::StrCat("init --data_dir ", dir_.path("data"), " #"));
    ASSERT_TRUE(fs::exists(dir_.path("data/ca.pem")));
  }
  std::string Flags() const { return absl::StrCat("--data_dir ", dir_.path("data")); }

  const TempDir dir_;
};

TEST_F(StoppedServerTest, ItDoesNotRun) {
  // Of ports that are nobody's.
  int port = 0;
  { port = OtherProgram().port(); }
  const Diagnosis diagnosis =
      Diagnose(absl::StrCat(Flags(), " --device 127.0.0.1:", port, " --server 127.0.0.1:", port));
  EXPECT_THAT(diagnosis.causes(), ElementsAre("server SERVER_NOT_RUNNING")) << diagnosis;
  EXPECT_THAT(diagnosis.findings[0].to_do, HasSubstr("systemctl start bellwire"));
}

TEST_F(StoppedServerTest, AnotherProgramHasItsPort) {
  const OtherProgram other;
  const Diagnosis diagnosis = Diagnose(absl::StrCat(Flags(), " --device 127.0.0.1:", other.port()));
  EXPECT_THAT(diagnosis.causes(), ElementsAre("server PORT_TAKEN")) << diagnosis;
  EXPECT_THAT(diagnosis.findings[0].what, HasSubstr(absl::StrCat("pid ", getpid())));
  EXPECT_THAT(diagnosis.findings[0].to_do, HasSubstr("--device_listen"));
}

TEST_F(StoppedServerTest, ItsProgramWasReplaced) {
  const std::string program = dir_.path("bellwire");
  fs::copy_file(fs::canonical("cli/bellwire"), program);
  auto server =
      Process::Start("serve", program,
                     {"serve", "--data_dir", dir_.path("data"), "--provider_listen", "127.0.0.1:0",
                      "--device_listen", "127.0.0.1:0", "--ready_file", dir_.path("ready")});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE((*server)->WaitReady(dir_.path("ready")).ok());
  fs::remove(program);
  const Diagnosis diagnosis = Diagnose(Flags());
  EXPECT_THAT(diagnosis.causes(), ElementsAre("server RESTART_NEEDED")) << diagnosis;
  EXPECT_EQ(diagnosis.exit_code, 0);
  EXPECT_THAT(diagnosis.findings[0].to_do, HasSubstr("systemctl restart bellwire"));
}

// On a disk of its own.
class FullDiskTest : public testing::Test {
 protected:
  // Mounts of this process and its children are nobody else's.
  static void SetUpTestSuite() {
    can_mount_ = (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
                 mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  void SetUp() override {
    if (!can_mount_) GTEST_SKIP() << "this process may not mount a tmpfs";
  }
  void TearDown() override { umount2(disk_.c_str(), MNT_DETACH); }

  void Mount(const char* options) {
    fs::create_directories(disk_);
    ASSERT_EQ(mount("tmpfs", disk_.c_str(), "tmpfs", 0, options), 0);
    Show(absl::StrCat("init --data_dir ", disk_, "/data #"));
    ASSERT_TRUE(fs::exists(disk_ + "/data/ca.pem"));
  }
  void FillUpTo(uint64_t left) {
    struct statvfs info {};
    ASSERT_EQ(statvfs(disk_.c_str(), &info), 0);
    const uint64_t free = info.f_bavail * info.f_frsize;
    WriteText(disk_ + "/ballast", std::string(free - left, 'x'));
  }
  // Its ports are nobody's.
  Diagnosis Look() const {
    return Diagnose(
        absl::StrCat("--data_dir ", disk_, "/data --server 127.0.0.1:1 --device 127.0.0.1:1"));
  }
  void ExpectCause(const std::string& cause, const std::string& to_do) const {
    const Diagnosis diagnosis = Look();
    EXPECT_THAT(diagnosis.findings, Contains(AllOf(Field(&SeenFinding::cause, cause),
                                                   Field(&SeenFinding::to_do, HasSubstr(to_do)))))
        << diagnosis;
  }

  static bool can_mount_;
  const TempDir dir_;
  const std::string disk_ = dir_.path("disk");
};
bool FullDiskTest::can_mount_ = false;

TEST_F(FullDiskTest, ItIsFull) {
  ASSERT_NO_FATAL_FAILURE(Mount("size=4m"));
  EXPECT_THAT(Look().causes(), ElementsAre("server SERVER_NOT_RUNNING"));
  FillUpTo(64 * 1024);
  ExpectCause("DISK_FULL", "make room");
}

TEST_F(FullDiskTest, ItIsNearlyFull) {
  ASSERT_NO_FATAL_FAILURE(Mount("size=64m"));
  FillUpTo(2 * 1024 * 1024);
  ExpectCause("DISK_NEARLY_FULL", "make room");
}

TEST_F(FullDiskTest, ItIsReadOnly) {
  ASSERT_NO_FATAL_FAILURE(Mount("size=4m"));
  ASSERT_EQ(mount(nullptr, disk_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, "size=4m"), 0);
  ExpectCause("DISK_READ_ONLY", "dmesg");
}

TEST_F(FullDiskTest, ItTakesNoMoreFiles) {
  ASSERT_NO_FATAL_FAILURE(Mount("size=4m,nr_inodes=60"));
  ExpectCause("INODES_USED_UP", "inodes");
}

}  // namespace
}  // namespace bellwire::tests
