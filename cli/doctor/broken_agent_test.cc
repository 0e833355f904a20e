// Things that go wrong with the agent of a phone, done to a real one on purpose: `bellwire doctor`
// names the cause of each and what to do.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/doctor/testing/box.h"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "common/version.h"
#include "crypto/certificates.h"
#include "device-agent/client/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kMail[] = "com.example.mail";

// One server for all, and an agent for each test.
class BrokenAgentTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto fleet = Fleet::Start(Deployment::kEmbedded);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = fleet->release();
  }
  static void TearDownTestSuite() { delete fleet_; }

  struct AgentFlags {
    std::string server = fleet_->device_address();
    std::vector<std::string> trust = {"--ca", fleet_->ca_file()};
    std::vector<std::string> more;
    std::string program = "device-agent/bellwire-agent";
  };
  // An agent named `name`, with its socket and state in files of this name.
  std::unique_ptr<Process> StartAgent(const AgentFlags& flags, const std::string& name = "agent") {
    std::vector<std::string> arguments = {"--server",
                                          flags.server,
                                          "--socket",
                                          Socket(name),
                                          "--state_dir",
                                          State(name),
                                          "--ready_file",
                                          dir_.path(name + ".ready"),
                                          "--reconnect_max_seconds",
                                          "1"};
    arguments.insert(arguments.end(), flags.trust.begin(), flags.trust.end());
    arguments.insert(arguments.end(), flags.more.begin(), flags.more.end());
    auto agent = Process::Start(name, flags.program, arguments);
    EXPECT_TRUE(agent.ok()) << agent.status();
    EXPECT_TRUE((*agent)->WaitReady(dir_.path(name + ".ready")).ok());
    return std::move(*agent);
  }
  std::string Socket(const std::string& name = "agent") const { return dir_.path(name + ".sock"); }
  std::string State(const std::string& name = "agent") const { return dir_.path(name); }
  bool WaitUntilConnected(const std::string& name = "agent") const {
    return WaitUntil([&] {
      const auto status = agent::FetchAgentStatus(Socket(name), kPatience);
      return status.ok() && status->connection() == agent::v1::Status::CONNECTED;
    });
  }
  Diagnosis Look(const std::string& name = "agent") const {
    return Diagnose(absl::StrCat("--socket ", Socket(name)));
  }
  static void ExpectFinding(const Diagnosis& diagnosis, const std::string& severity,
                            const std::string& cause, const std::string& what,
                            const std::string& to_do) {
    EXPECT_THAT(diagnosis.causes(), ElementsAre(absl::StrCat("agent ", cause))) << diagnosis;
    EXPECT_EQ(diagnosis.exit_code, severity == "problem" ? 1 : 0) << diagnosis;
    EXPECT_THAT(diagnosis.findings, Contains(AllOf(Field(&SeenFinding::severity, severity),
                                                   Field(&SeenFinding::what, HasSubstr(what)),
                                                   Field(&SeenFinding::to_do, HasSubstr(to_do)))))
        << diagnosis;
  }

  static Fleet* fleet_;
  const TempDir dir_;
};
Fleet* BrokenAgentTest::fleet_ = nullptr;

TEST_F(BrokenAgentTest, AHealthyOneHasNoFinding) {
  const auto agent = StartAgent({});
  ASSERT_TRUE(WaitUntilConnected());
  const Diagnosis diagnosis = Look();
  EXPECT_EQ(diagnosis.exit_code, 0) << diagnosis;
  EXPECT_THAT(diagnosis.findings, IsEmpty()) << diagnosis;
  EXPECT_THAT(diagnosis.parts, ElementsAre("agent"));
  // Nor has the whole box.
  const Diagnosis box =
      Diagnose(absl::StrCat("--socket ", Socket(), " --data_dir ", fleet_->data_dir()));
  EXPECT_THAT(box.findings, IsEmpty()) << box;
  EXPECT_THAT(box.parts, ElementsAre("server", "agent"));
  // The doctor's login was none: the agent's session is the one that it was.
  EXPECT_TRUE(WaitUntilConnected());
  const std::string page = Show(absl::StrCat("status --socket ", Socket()));
  EXPECT_THAT(
      page,
      AllOf(HasSubstr(absl::StrCat("agent      connected      to ", fleet_->device_address())),
            HasSubstr("0 apps, 0 running"), HasSubstr("nothing to do")));
}

// --- The socket. ---

TEST_F(BrokenAgentTest, ItDoesNotRun) {
  ExpectFinding(Look(), "problem", "AGENT_NOT_RUNNING", Socket(), "systemctl start bellwire-agent");
  EXPECT_THAT(Show(absl::StrCat("status --socket ", Socket())),
              AllOf(HasSubstr("agent      not running"), HasSubstr("to do: `systemctl start")));
}

TEST_F(BrokenAgentTest, ItDiedAndLeftItsSocket) {
  StartAgent({})->Kill();
  ExpectFinding(Look(), "problem", "SOCKET_WITHOUT_AGENT", "a leftover", "systemctl start");
}

TEST_F(BrokenAgentTest, SomethingElseIsWhereTheSocketShouldBe) {
  WriteText(Socket(), "");
  ExpectFinding(Look(), "problem", "NOT_A_SOCKET", "is no socket", "move it away");
}

TEST_F(BrokenAgentTest, ItWasStopped) {
  const auto agent = StartAgent({});
  ASSERT_TRUE(WaitUntilConnected());
  agent->Freeze();
  const Diagnosis diagnosis = Look();
  agent->Thaw();
  ExpectFinding(diagnosis, "problem", "AGENT_DOES_NOT_ANSWER", "stopped by a signal",
                absl::StrCat("kill -CONT ", agent->pid()));
}

TEST_F(BrokenAgentTest, AppsMayNotConnect) {
  const auto agent = StartAgent({.more = {"--socket_mode", "0600"}});
  ASSERT_TRUE(WaitUntilConnected());
  ExpectFinding(Look(), "warning", "SOCKET_CLOSED_TO_APPS", "mode 0600", "--socket_mode 0666");
}

// --- The way to the server. ---

TEST_F(BrokenAgentTest, TheServersNameLeadsNowhere) {
  const auto agent = StartAgent({.server = "push.example.invalid:7444"});
  ExpectFinding(Look(), "problem", "NAME_NOT_RESOLVED", "push.example.invalid:7444",
                "getent hosts");
}

TEST_F(BrokenAgentTest, NobodyListensThere) {
  const auto agent = StartAgent({.server = "127.0.0.1:1"});
  ExpectFinding(Look(), "problem", "PORT_CLOSED", "nothing listens at", "--device_listen");
}

TEST_F(BrokenAgentTest, WhatListensThereIsSilent) {
  const OtherProgram other;
  const auto agent = StartAgent({.server = absl::StrCat("127.0.0.1:", other.port())});
  ExpectFinding(Look(), "problem", "PORT_DOES_NOT_ANSWER", "says nothing", "restart it");
}

TEST_F(BrokenAgentTest, WhatListensThereSpeaksPlainHttp) {
  const OtherProgram other(0, "HTTP/1.1 400 Bad Request\r\n\r\n");
  const auto agent = StartAgent({.server = absl::StrCat("127.0.0.1:", other.port())});
  ExpectFinding(Look(), "problem", "NOT_TLS", "does not speak TLS", "name the right port");
}

TEST_F(BrokenAgentTest, TheProviderPortIsTakenForTheDevicePort) {
  const auto agent = StartAgent({.server = fleet_->provider_address()});
  ExpectFinding(Look(), "problem", "WRONG_PORT", "is no device port", "usually 7444");
}

TEST_F(BrokenAgentTest, ItTrustsAnotherAuthority) {
  const absl::Time now = RealClock()->WallNow();
  const auto ca =
      MakeCertificateAuthority("another CA", {now - absl::Hours(1), now + absl::Hours(1)});
  ASSERT_TRUE(ca.ok());
  WriteText(dir_.path("ca.pem"), ca->certificate_pem);
  const auto agent = StartAgent({.trust = {"--ca", dir_.path("ca.pem")}});
  ExpectFinding(Look(), "problem", "WRONG_CA", "is not of the CA in", "ca.pem over it");
}

TEST_F(BrokenAgentTest, ItsAuthorityIsGone) {
  fs::copy_file(fleet_->ca_file(), dir_.path("ca.pem"));
  const auto agent = StartAgent({.trust = {"--ca", dir_.path("ca.pem")}});
  ASSERT_TRUE(WaitUntilConnected());
  fs::remove(dir_.path("ca.pem"));
  ExpectFinding(Look(), "problem", "CA_MISSING", dir_.path("ca.pem"), "copy the server's");
}

TEST_F(BrokenAgentTest, ItsAuthorityIsGarbage) {
  fs::copy_file(fleet_->ca_file(), dir_.path("ca.pem"));
  const auto agent = StartAgent({.trust = {"--ca", dir_.path("ca.pem")}});
  ASSERT_TRUE(WaitUntilConnected());
  WriteText(dir_.path("ca.pem"), "<html>404</html>");
  ExpectFinding(Look(), "problem", "CA_BROKEN", "no certificate", "copy the server's");
}

TEST_F(BrokenAgentTest, TheCertificateHasAnotherName) {
  const auto agent = StartAgent({.more = {"--server_name", "push.example.com"}});
  ExpectFinding(Look(), "problem", "CERTIFICATE_LACKS_NAME", "not for push.example.com, but for",
                "bellwire cert add-name push.example.com");
}

TEST_F(BrokenAgentTest, ThePinIsOfAnotherKey) {
  const auto agent = StartAgent({.trust = {"--pin", std::string(64, 'a')}});
  const auto facts = ReadCertificateFacts(ReadText(fleet_->data_dir() + "/server.pem"));
  ASSERT_TRUE(facts.ok());
  ExpectFinding(Look(), "problem", "WRONG_PIN", "another one than --pin says",
                absl::StrCat("--pin ", facts->pin));
}

TEST_F(BrokenAgentTest, TheCertificateIsYetToComeByThePhonesClock) {
  const auto agent = StartAgent({});
  ASSERT_TRUE(WaitUntilConnected());
  const Diagnosis diagnosis =
      Diagnose(absl::StrCat("--socket ", Socket()),
               absl::StrCat("BELLWIRE_TEST_CLOCK_SHIFT=-315360000 LD_PRELOAD=",
                            fs::absolute("cli/doctor/testing/shifted_clock.so").string()));
  ExpectFinding(diagnosis, "problem", "CERTIFICATE_NOT_YET_VALID", "this machine's clock says",
                "set this machine's clock");
}

// --- State and apps. ---

TEST_F(BrokenAgentTest, OthersMayReadTheDevicesKey) {
  const auto agent = StartAgent({});
  ASSERT_TRUE(WaitUntilConnected());
  chmod((State() + "/device.key").c_str(), 0644);
  ExpectFinding(Look(), "problem", "DEVICE_KEY_NOT_PRIVATE", "mode 0644", "chmod 600");
}

TEST_F(BrokenAgentTest, TheDevicesKeyIsGarbage) {
  const auto agent = StartAgent({});
  ASSERT_TRUE(WaitUntilConnected());
  WriteText(State() + "/device.key", "nothing");
  ExpectFinding(Look(), "problem", "DEVICE_KEY_BROKEN", "is no key", "from a backup");
}

TEST_F(BrokenAgentTest, AnotherPhoneHasTheSameKey) {
  {
    const auto before = StartAgent({});
    ASSERT_TRUE(WaitUntilConnected());
    ASSERT_TRUE(before->Terminate().ok());
  }
  fs::copy(State(), State("copy"));
  fs::permissions(State("copy"), fs::perms::owner_all);
  const auto agent = StartAgent({});
  ASSERT_TRUE(WaitUntilConnected());
  const auto copy = StartAgent({}, "copy");
  ASSERT_TRUE(WaitUntil([&] {
    const auto status = agent::FetchAgentStatus(Socket(), kPatience);
    return status.ok() && absl::StrContains(status->last_error(), "another phone");
  }));
  ExpectFinding(Look(), "problem", "DEVICE_KEY_COPIED", "another device uses this one's key",
                "move its state directory away");
}

TEST_F(BrokenAgentTest, ItIsOfAnotherVersion) {
  std::string program = ReadText(fs::canonical("device-agent/bellwire-agent").string());
  const std::string ours(kVersion, sizeof(kVersion));  // With the NUL behind it.
  std::string other = ours;
  other[0] = '9';
  ASSERT_GT(absl::StrReplaceAll({{ours, other}}, &program), 0);
  const std::string path = dir_.path("bellwire-agent");
  WriteText(path, program);
  chmod(path.c_str(), 0755);
  AgentFlags flags;
  flags.program = path;
  const auto agent = StartAgent(flags);
  ASSERT_TRUE(WaitUntilConnected());
  ExpectFinding(Look(), "warning", "VERSION_DIFFERS", "the agent is version 9",
                "the same version of both");
}

TEST_F(BrokenAgentTest, ItsProgramWasReplaced) {
  const std::string path = dir_.path("bellwire-agent");
  fs::copy_file(fs::canonical("device-agent/bellwire-agent"), path);
  AgentFlags flags;
  flags.program = path;
  const auto agent = StartAgent(flags);
  ASSERT_TRUE(WaitUntilConnected());
  fs::remove(path);
  ExpectFinding(Look(), "warning", "RESTART_NEEDED", "was replaced",
                "systemctl restart bellwire-agent");
}

TEST_F(BrokenAgentTest, NobodyTakesWhatWaitsForAnApp) {
  const auto agent = StartAgent({});
  const auto provider = Provider::Create(*fleet_, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  std::string token;
  {
    App app(Socket(), kMail);
    token = app.WaitForToken();
  }
  ASSERT_NE(token, "");
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(provider->SendReliably(token, absl::StrCat(i)).ok());
  }
  ASSERT_TRUE(WaitUntil([&] {
    const auto status = agent::FetchAgentStatus(Socket(), kPatience);
    return status.ok() && status->inbox_messages() == 50;
  }));
  ExpectFinding(Look(), "warning", "MAILBOX_NOT_TAKEN", "50 messages wait for com.example.mail",
                "start the app");
}

TEST_F(BrokenAgentTest, AConfigurationOfAnAgentThatDoesNotRunIsReadToo) {
  WriteText(dir_.path("agent.conf"),
            absl::StrCat("# The server.\nserver = push.example.invalid:7444\n",
                         "ca=", fleet_->ca_file(), "\nsocket = ", Socket(), "\n"));
  const Diagnosis diagnosis = Diagnose(absl::StrCat("--agent_config ", dir_.path("agent.conf")));
  EXPECT_THAT(diagnosis.causes(), ElementsAre("agent AGENT_NOT_RUNNING", "agent NAME_NOT_RESOLVED"))
      << diagnosis;
}

}  // namespace
}  // namespace bellwire::tests
