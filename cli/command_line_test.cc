// The program as a person or a script meets it: the real binary in a real shell, beside a real
// server and a real agent.

#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/testing/temp_dir.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "crypto/p256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/socket/address.h"
#include "nlohmann/json.hpp"
#include "tests/support/app.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kMail[] = "com.example.mail";

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "exit " << outcome.code << "\n" << outcome.out << outcome.err;
}

// One server and one phone for all tests: each makes what it needs on them.
class CommandLineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (const char* name : {"BELLWIRE_SERVER", "BELLWIRE_CA", "BELLWIRE_DATA_DIR",
                             "BELLWIRE_CREDENTIALS", "BELLWIRE_AGENT_SOCKET", "http_proxy"}) {
      unsetenv(name);
    }
    auto fleet =
        Fleet::Start(Deployment::kEmbedded,
                     {.more_registry_arguments = {"--public_url", "https://push.example.com"}});
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = fleet->release();
    phone_ = new Phone(*fleet_, "phone");
    ASSERT_TRUE(phone_->Start().ok());
  }
  static void TearDownTestSuite() {
    delete phone_;
    delete fleet_;
  }

  // Runs it in a shell, in which $B is the program, $ADMIN the flags of an admin, $SOCKET the
  // agent's and $DIR a place for files. A command that hangs ends with 124.
  Outcome Sh(const std::string& script) const {
    const std::string path = dir_.path("script");
    std::ofstream(path) << "B=" << std::filesystem::absolute("cli/bellwire").string() << "\n"
                        << "ADMIN='--server " << fleet_->provider_address() << " --data_dir "
                        << fleet_->data_dir() << "'\n"
                        << "SOCKET=" << phone_->socket_path() << "\nexport DIR=" << dir_.path()
                        << "\n"
                        << script << "\n";
    const int status =
        system(absl::StrCat("timeout 60 sh ", path, " >", dir_.path("out"), " 2>", dir_.path("err"))
                   .c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            ReadAll(dir_.path("out")), ReadAll(dir_.path("err"))};
  }
  // A value of the JSON that a command answers.
  std::string Ask(const std::string& command, const std::string& key) const {
    const Outcome outcome = Sh(absl::StrCat("$B ", command, " --json"));
    EXPECT_EQ(outcome.code, 0) << outcome;
    const auto json = nlohmann::json::parse(outcome.out, nullptr, false);
    return json.is_object() && json.contains(key) ? json[key].get<std::string>() : "";
  }

  // A team with an app and a key. Sets team_, app_ and credentials_.
  void MakeProvider() {
    static int number = 0;
    app_ = absl::StrCat("com.example.app", ++number);
    team_ = Ask("team create Example $ADMIN", "team_id");
    ASSERT_EQ(Ask(absl::StrCat("app create ", app_, " --team ", team_, " $ADMIN"), "app_id"), app_);
    credentials_ = dir_.path("cred.json");
    ASSERT_EQ(Sh(absl::StrCat("$B key create $ADMIN --team ", team_, " --out ", credentials_)).code,
              0);
    provider_ = absl::StrCat(" --server ", fleet_->provider_address(), " --ca ", fleet_->ca_file(),
                             " --credentials ", credentials_, " ");
  }
  // Registers the app and ends.
  std::string Token() {
    App app(phone_->socket_path(), app_);
    return app.WaitForToken();
  }
  std::string Send(const std::string& token, const std::string& text) const {
    return Ask(absl::StrCat("send", provider_, "--priority high --token ", token, " --text ", text),
               "message_id");
  }
  std::string State(const std::string& token, const std::string& message_id) const {
    return Ask(absl::StrCat("trace ", message_id, provider_, "--token ", token), "state");
  }
  bool WaitForState(const std::string& token, const std::string& id, const std::string& state) {
    return WaitUntil([&] { return State(token, id) == state; });
  }

  static Fleet* fleet_;
  static Phone* phone_;
  const TempDir dir_;
  std::string team_;
  std::string app_;
  std::string credentials_;
  std::string provider_;
};

Fleet* CommandLineTest::fleet_ = nullptr;
Phone* CommandLineTest::phone_ = nullptr;

TEST_F(CommandLineTest, AnAnswerThatCouldNotBeWrittenIsAFailure) {
  MakeProvider();
  ASSERT_EQ(Sh("$B init --data_dir $DIR/data").code, 0);
  for (const std::string& command : std::vector<std::string>{
           "--help", "--version", "version", "team --help", "version --json", "team list $ADMIN",
           "team create Lost $ADMIN", absl::StrCat("key list $ADMIN --team ", team_),
           "agent status --socket $SOCKET", "agent activity active --socket $SOCKET",
           "init --data_dir $(mktemp -d -p $DIR)", "init --data_dir $DIR/data --repair",
           "cert renew --data_dir $DIR/data",
           absl::StrCat("send", provider_, "--text x --validate_only --token ", Token())}) {
    for (const char* closed : {" > /dev/full", " >&-"}) {
      const Outcome outcome = Sh(absl::StrCat("$B ", command, closed));
      EXPECT_EQ(outcome.code, 1) << command << closed << ": " << outcome;
      EXPECT_THAT(outcome.err, HasSubstr("can't write to standard output")) << command << closed;
    }
  }
}

TEST_F(CommandLineTest, AccessTokensAreOneLineAndCanBeRevoked) {
  MakeProvider();
  const Outcome made = Sh(absl::StrCat("$B key create --send_only $ADMIN ", team_));
  ASSERT_EQ(made.code, 0) << made;
  EXPECT_THAT(made.out, ::testing::MatchesRegex("bw_[a-z2-7]{42}\n"));
  EXPECT_EQ(Sh(absl::StrCat("$B key create --send_only --out $DIR/x $ADMIN ", team_)).code, 1);
  const std::string list = absl::StrCat("$B key list $ADMIN --team ", team_);
  EXPECT_THAT(Sh(list).out, HasSubstr("send only"));
  const std::string key_id = made.out.substr(3, 10);
  EXPECT_THAT(Sh(list).out, HasSubstr(key_id));
  EXPECT_EQ(Sh(absl::StrCat("$B key revoke $ADMIN ", key_id)).code, 0);
  EXPECT_THAT(Sh(list).out, HasSubstr("revoked"));
}

TEST_F(CommandLineTest, AServiceAccountFileIsWhatFcmsClientsRead) {
  MakeProvider();
  const std::string create =
      absl::StrCat("$B key create --fcm $ADMIN ", team_, " $DIR/service-account.json");
  const Outcome made = Sh(create);
  ASSERT_EQ(made.code, 0) << made;
  const Outcome file = Sh("stat -c %a $DIR/service-account.json; cat $DIR/service-account.json");
  EXPECT_THAT(file.out, ::testing::StartsWith("600\n"));
  const auto json = nlohmann::json::parse(file.out.substr(4), nullptr, false);
  EXPECT_EQ(json.value("type", ""), "service_account") << file;
  EXPECT_EQ(json.value("project_id", ""), team_);
  EXPECT_EQ(json.value("token_uri", ""), "https://push.example.com/oauth2/token");
  EXPECT_THAT(json.value("private_key", ""), HasSubstr("BEGIN PRIVATE KEY"));
  const std::string key_id = json.value("private_key_id", "");
  EXPECT_EQ(json.value("client_email", ""),
            absl::StrCat(key_id, "@", team_, ".bellwire.internal"));
  const std::string list = absl::StrCat("$B key list $ADMIN --team ", team_);
  EXPECT_THAT(Sh(list).out, ::testing::ContainsRegex(key_id + " +fcm"));
  // Never overwrites, and never makes a key whose private half has no place.
  EXPECT_EQ(Sh(create).code, 1);
  EXPECT_EQ(Sh(absl::StrCat("$B key create --fcm $ADMIN ", team_)).code, 1);
  EXPECT_EQ(Sh(list + " --json | wc -l").out, "2\n");
}

TEST_F(CommandLineTest, ATeamHasSettings) {
  MakeProvider();
  const std::string set = absl::StrCat("$B team set $ADMIN ", team_, " --apns_store_one ");
  EXPECT_THAT(Sh(set + "on").out, HasSubstr("apns_store_one is on"));
  EXPECT_THAT(Sh("$B team list $ADMIN --json").out, HasSubstr("\"apns_store_one\":true"));
  EXPECT_THAT(Sh(set + "off").out, HasSubstr("apns_store_one is off"));
  EXPECT_EQ(Sh(set + "perhaps").code, 2);
  EXPECT_EQ(Sh("$B team set $ADMIN nobody2222 --apns_store_one on").code, 1);
}

TEST_F(CommandLineTest, AQuotaIsShownSetAndTakenBack) {
  MakeProvider();
  const std::string send =
      absl::StrCat("$B send", provider_, "--text x --json --token ", Token());
  ASSERT_EQ(Sh(send).code, 0);
  const std::string show = absl::StrCat("$B quota show $ADMIN ", team_);
  EXPECT_THAT(Sh(show).out, AllOf(HasSubstr(team_), HasSubstr(app_), HasSubstr("10000000")));
  EXPECT_THAT(Sh(show + " --json").out, HasSubstr("\"messages_today\":1"));
  EXPECT_THAT(Sh("$B quota show $ADMIN").out, HasSubstr("subscriptions"));
  const std::string set = absl::StrCat("$B quota set $ADMIN ", team_, " ");
  EXPECT_THAT(Sh(set + "--messages_per_day 1 --bytes_waiting 2M").out,
              AllOf(HasSubstr("changed"), HasSubstr("1 *"), HasSubstr("2097152 *")));
  const Outcome refused = Sh(send);
  EXPECT_EQ(refused.code, 1) << refused;
  EXPECT_THAT(refused.err, HasSubstr("QUOTA_EXCEEDED"));
  EXPECT_EQ(Sh(set + "--messages_per_day none").code, 0);
  // A gateway repeats its refusal for a second at most.
  Outcome sent = refused;
  while (sent.code != 0 && absl::StrContains(sent.err, "QUOTA_EXCEEDED")) sent = Sh(send);
  EXPECT_EQ(sent.code, 0) << sent;
  EXPECT_EQ(Sh(set + "--messages_per_day default --bytes_waiting default").code, 0);
  EXPECT_EQ(Sh(set).code, 1) << "no limit is named";
  EXPECT_EQ(Sh(set + "--messages_per_day lots").code, 1);
  EXPECT_EQ(Sh("$B quota set $ADMIN nobody2222 --topics 1").code, 1);
  const Outcome not_of_apps = Sh(absl::StrCat("$B quota set $ADMIN ", app_, " --topics 1"));
  EXPECT_EQ(not_of_apps.code, 1);
  EXPECT_THAT(not_of_apps.err, HasSubstr("BAD_QUOTA"));
}

TEST_F(CommandLineTest, AnAliasNamesATokenUntilItIsDeleted) {
  MakeProvider();
  const std::string token = Token();
  const std::string create = absl::StrCat("alias create $ADMIN ", team_, " phone ", token);
  EXPECT_EQ(Ask(create, "token"), token);
  const Outcome again = Sh(absl::StrCat("$B alias create $ADMIN ", team_, " phone ", token));
  EXPECT_EQ(again.code, 1) << again;
  EXPECT_THAT(again.err, HasSubstr("taken"));
  const std::string list = absl::StrCat("$B alias list $ADMIN ", team_);
  EXPECT_THAT(Sh(list).out, HasSubstr(token));
  EXPECT_EQ(Sh(absl::StrCat("$B alias delete $ADMIN ", team_, " phone")).code, 0);
  EXPECT_THAT(Sh(list).out, HasSubstr("no aliases yet"));
  EXPECT_EQ(Sh(absl::StrCat("$B alias delete $ADMIN ", team_, " phone")).code, 1);
  // From a file, so that `ps` shows it not even for a moment.
  const std::string from_file =
      absl::StrCat("$B alias create $ADMIN ", team_, " tablet --token_file - ");
  EXPECT_EQ(Sh(absl::StrCat("echo ", token, " | ", from_file)).code, 0);
  EXPECT_THAT(Sh(list).out, HasSubstr(token));
  const Outcome empty = Sh(absl::StrCat(from_file, "< /dev/null"));
  EXPECT_EQ(empty.code, 1) << empty;
  EXPECT_THAT(empty.err, HasSubstr("no token"));
  const Outcome none = Sh(absl::StrCat("$B alias create $ADMIN ", team_, " watch"));
  EXPECT_EQ(none.code, 1) << none;
  EXPECT_THAT(none.err, HasSubstr("--token_file"));
}

TEST_F(CommandLineTest, AScreenWantsATerminal) {
  const Outcome top = Sh("$B top --metrics 127.0.0.1:1 --json");
  EXPECT_EQ(top.code, 1) << top;
  const Outcome screen = Sh("$B top --metrics 127.0.0.1:1 < /dev/null");
  EXPECT_EQ(screen.code, 1) << screen;
  EXPECT_THAT(screen.err, HasSubstr("terminal"));  // NO_TERMINAL
}

TEST_F(CommandLineTest, AnEnrolmentIsALineAndAQrCode) {
  const Outcome made = Sh("$B device enroll $ADMIN --count 3 --ttl 2d --name phones");
  EXPECT_EQ(made.code, 0) << made;
  EXPECT_THAT(made.out, HasSubstr("lets in 3 devices"));
  EXPECT_THAT(made.out, HasSubstr("\nbwe_"));
  EXPECT_THAT(made.out, HasSubstr("██"));
  const std::string id = Ask("device enroll $ADMIN", "enrolment_id");
  EXPECT_THAT(Sh("$B device enrolments $ADMIN").out, HasSubstr(id));
  EXPECT_EQ(Sh(absl::StrCat("$B device enrolments $ADMIN --delete ", id)).code, 0);
  EXPECT_EQ(Sh(absl::StrCat("$B device enrolments $ADMIN --delete ", id)).code, 1);
  EXPECT_EQ(Sh("$B device enroll $ADMIN --ttl soon").code, 1);
  EXPECT_EQ(Sh("$B device enroll $ADMIN --ttl 400d").code, 1);
}

TEST_F(CommandLineTest, DevicesAreListedShownAndCounted) {
  MakeProvider();
  const std::string token = Token();
  const std::string device = Ask(absl::StrCat("device show $ADMIN --token ", token), "device_id");
  EXPECT_EQ(device.size(), 32u);
  EXPECT_THAT(Sh("$B device list $ADMIN --all --json").out, HasSubstr(device));
  EXPECT_THAT(Sh("$B device list $ADMIN --max 1").out, HasSubstr("DEVICE"));
  EXPECT_THAT(Sh(absl::StrCat("$B device show $ADMIN ", device)).out, HasSubstr(app_));
  const Outcome dry = Sh(absl::StrCat("$B device delete $ADMIN --dry_run ", device));
  EXPECT_EQ(dry.code, 0) << dry;
  EXPECT_THAT(dry.out, HasSubstr("Nothing was done"));
  EXPECT_EQ(Sh(absl::StrCat("$B device show $ADMIN ", device)).code, 0) << "it is there still";
  EXPECT_EQ(Sh("$B device revoke $ADMIN 000102030405060708090a0b0c0d0e0f").code, 1);
  EXPECT_EQ(Sh("$B device show $ADMIN").code, 1) << "which one?";
}

TEST_F(CommandLineTest, ListenAcknowledgesOnlyWhatItCouldWrite) {
  MakeProvider();
  const std::string token = Token();
  const std::string id = Send(token, "precious");
  ASSERT_TRUE(WaitForState(token, id, "AGENT_ACKED"));
  const std::string listen = absl::StrCat("$B listen --json --socket $SOCKET --app ", app_);

  const Outcome full = Sh(listen + " > /dev/full");
  EXPECT_EQ(full.code, 1) << full;
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
  const Outcome closed = Sh(listen + " >&-");
  EXPECT_EQ(closed.code, 1) << closed;

  const Outcome taken = Sh(listen + " --count 1");
  EXPECT_EQ(taken.code, 0) << taken;
  EXPECT_THAT(taken.out, HasSubstr("precious"));
  EXPECT_TRUE(WaitForState(token, id, "APP_ACKED"));
}

TEST_F(CommandLineTest, WhatExpiredOnADeviceOutOfTouchWaitsForNoApp) {
  MakeProvider();
  const std::string token = Token();
  const std::string id = Ask(
      absl::StrCat("send", provider_, "--ttl 8s --token ", token, " --text short"), "message_id");
  ASSERT_TRUE(WaitForState(token, id, "AGENT_ACKED"));
  kill(phone_->agent().pid(), SIGSTOP);
  const std::string trace = absl::StrCat("$B trace ", id, provider_, "--token ", token);
  EXPECT_THAT(Sh(trace).out, HasSubstr("waits for the app"));
  EXPECT_TRUE(WaitUntil([&] { return absl::StrContains(Sh(trace).out, "its time is over"); }));
  EXPECT_THAT(Sh(trace).out, Not(HasSubstr("waits for the app")));
  kill(phone_->agent().pid(), SIGCONT);
  EXPECT_TRUE(WaitForState(token, id, "EXPIRED"));
}

TEST_F(CommandLineTest, ASendShowsItsStepsUntilTheAppHasTheMessage) {
  MakeProvider();
  const std::string token = Token();
  const std::string send = absl::StrCat("$B send", provider_, "--priority high --token ", token,
                                        " --text hello --wait ");
  {
    App app(phone_->socket_path(), app_);
    const Outcome taken = Sh(send + "60");
    EXPECT_EQ(taken.code, 0) << taken;
    EXPECT_THAT(taken.out, AllOf(HasSubstr("taken from its sender"), HasSubstr("APP_ACKED "),
                                 HasSubstr("The app has it.")));
  }
  const Outcome away = Sh(send + "1");
  EXPECT_EQ(away.code, 1) << away;
  EXPECT_THAT(away.out, AllOf(HasSubstr("on the phone's disk"),
                              HasSubstr("It waits for the app to run"), HasSubstr("To do: start")));
  const std::string id = Send(token, "story");
  ASSERT_TRUE(WaitForState(token, id, "AGENT_ACKED"));
  const Outcome traced = Sh(absl::StrCat("$B trace ", id, provider_, "--json --token ", token));
  const auto json = nlohmann::json::parse(traced.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << traced;
  EXPECT_EQ(json["story"]["ended"], false);
  EXPECT_EQ(json["story"]["steps"].back()["place"], "phone");
  EXPECT_THAT(json["story"]["headline"].get<std::string>(), HasSubstr("the app has not taken it"));
}

TEST_F(CommandLineTest, APayloadThatCantBeReadIsNotSent) {
  MakeProvider();
  const std::string send = absl::StrCat("$B send", provider_, "--token ", Token());
  for (const char* input : {" --payload_file $DIR", " <&-", " < $DIR",
                            " --payload_file /nonexistent", " --payload_file ''"}) {
    const Outcome outcome = Sh(send + input);
    EXPECT_NE(outcome.code, 0) << input << outcome;
    EXPECT_EQ(outcome.out, "") << input;
    EXPECT_THAT(outcome.err, HasSubstr("error: ")) << input;
  }
  EXPECT_THAT(Sh(send + " <&-").err, HasSubstr("from standard input: Bad file descriptor"));
  EXPECT_EQ(Sh(send + " < /dev/null").code, 0) << "an empty input is a payload";
  EXPECT_EQ(Sh(send + " --text ''").code, 0);
}

TEST_F(CommandLineTest, AFlagBeatsTheEnvironment) {
  const std::string wrong =
      "export BELLWIRE_SERVER=127.0.0.1:1 BELLWIRE_DATA_DIR=/nonexistent "
      "BELLWIRE_AGENT_SOCKET=/nonexistent\n";
  for (const char* command :
       {"team list $ADMIN", "team create Flagged $ADMIN", "agent status --socket $SOCKET",
        "agent activity active --socket $SOCKET", "init --data_dir $DIR/flagged",
        "cert renew --data_dir $DIR/flagged"}) {
    const Outcome outcome = Sh(absl::StrCat(wrong, "$B ", command));
    EXPECT_EQ(outcome.code, 0) << command << ": " << outcome;
  }
  // A directory that is named is so with what is in it, and a key with its name and team.
  MakeProvider();
  const std::string token = Token();
  const std::string send =
      absl::StrCat("send $ADMIN --token ", token, " --text flagged --credentials ", credentials_);
  const auto credentials = nlohmann::json::parse(ReadAll(credentials_), nullptr, false);
  ASSERT_TRUE(credentials.is_object());
  const std::string key = dir_.path("flagged.pem");
  ASSERT_TRUE(CreateFileAtomically(key, credentials["private_key_pem"].get<std::string>(),
                                   FileAccess::kPrivate)
                  .ok());
  const std::string in_parts =
      absl::StrCat("send $ADMIN --token ", token, " --text flagged --key ", key, " --kid ",
                   credentials["key_id"].get<std::string>(), " --team ", team_);
  const std::string files =
      "export BELLWIRE_CA=/nonexistent BELLWIRE_ADMIN_TOKEN_FILE=/nonexistent "
      "BELLWIRE_CREDENTIALS=/nonexistent\n";
  for (const std::string& command :
       {std::string("team list $ADMIN"), absl::StrCat("key list $ADMIN --team ", team_), send,
        in_parts}) {
    const Outcome outcome = Sh(absl::StrCat(wrong, files, "$B ", command));
    EXPECT_EQ(outcome.code, 0) << command << ": " << outcome;
  }
  // What the environment alone names is used, each for itself.
  const Outcome two =
      Sh(absl::StrCat("export BELLWIRE_DATA_DIR=/nonexistent BELLWIRE_CA=", fleet_->ca_file(),
                      "\n$B send --server ", fleet_->provider_address(), " --token ", token,
                      " --text both --credentials ", credentials_));
  EXPECT_EQ(two.code, 0) << two;
  const Outcome environment =
      Sh(absl::StrCat("export BELLWIRE_SERVER=", fleet_->provider_address(),
                      " BELLWIRE_DATA_DIR=", fleet_->data_dir(), "\n$B team list"));
  EXPECT_EQ(environment.code, 0) << environment;
}

TEST_F(CommandLineTest, AValueThatMeansNothingIsRefusedHere) {
  const Outcome name = Sh("$B team create \"$(printf '\\377')\" $ADMIN");
  EXPECT_EQ(name.code, 1) << name;
  EXPECT_EQ(name.err, "error: this text is not UTF-8 (field name)\n");
  for (const char* count : {"-1", "0", "99999999999999999999", "x"}) {
    EXPECT_EQ(Sh(absl::StrCat("$B listen --socket $SOCKET --app ", kMail, " --count ", count)).code,
              2)
        << count;
  }
  const Outcome store = Sh("$B registry check --data_dir $DIR/none");
  EXPECT_EQ(store.code, 2);
  EXPECT_THAT(store.err, HasSubstr("there is no store"));
  const Outcome shared =
      Sh("mkdir $DIR/shared; touch $DIR/shared/x; chmod 755 $DIR/shared\n"
         "$B init --data_dir $DIR/shared");
  EXPECT_EQ(shared.code, 1) << shared;
}

TEST_F(CommandLineTest, AProxyIsNotAskedForThisMachine) {
  const Outcome outcome =
      Sh("export http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1\n"
         "$B team list $ADMIN");
  EXPECT_EQ(outcome.code, 0) << outcome;
}

TEST_F(CommandLineTest, AnEmptyValueIsNotTheDefault) {
  MakeProvider();
  const std::string send = absl::StrCat("$B send", provider_, "--text x --token ", Token());
  for (const char* flag : {"--ttl", "--deliver_at", "--message_id", "--collapse_key"}) {
    const Outcome outcome = Sh(absl::StrCat(send, " ", flag, " ''"));
    EXPECT_EQ(outcome.code, 2) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat("error: ", flag, ": the value is empty")));
  }
  EXPECT_EQ(Sh(absl::StrCat("$B receipts", provider_, "--cursor ''")).code, 2);
}

TEST_F(CommandLineTest, AWrongServerIsNamedAsWhatItIs) {
  const std::string list = absl::StrCat("$B team list --data_dir ", fleet_->data_dir());
  const auto error = [&](const std::string& server) {
    const Outcome outcome = Sh(absl::StrCat(list, " --server ", server));
    EXPECT_EQ(outcome.code, 1) << outcome;
    return outcome.err;
  };
  EXPECT_THAT(error(fleet_->device_address()), HasSubstr("is that the device port"));
  EXPECT_THAT(error("https://localhost:7443"), HasSubstr("say --server localhost:7443"));
  EXPECT_THAT(error("https://push.example.com/"), HasSubstr("say --server push.example.com:7443"));
  const Outcome no_port = Sh(absl::StrCat(list, " --server localhost"));
  EXPECT_EQ(no_port.code, 2) << no_port;
  EXPECT_THAT(no_port.err, HasSubstr("\"localhost\" is not host:port"));
  EXPECT_THAT(error("127.0.0.1:1"), HasSubstr("is `bellwire serve` running there?"));
  // A CA that isn't the server's.
  ASSERT_EQ(Sh("$B init --data_dir $DIR/other").code, 0);
  const Outcome other =
      Sh(absl::StrCat(list, " --ca $DIR/other/ca.pem --server ", fleet_->provider_address()));
  EXPECT_THAT(other.err, HasSubstr("the CA must be that of this server"));
}

TEST_F(CommandLineTest, NamesThatOthersMadeMoveNoCursor) {
  const Outcome created = Sh("$B team create \"$(printf 'evil\\033[2J')\" $ADMIN");
  EXPECT_EQ(created.code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr("evil\\x1b[2J"));
  const Outcome list = Sh("$B team list $ADMIN; $B team list --json $ADMIN");
  EXPECT_THAT(list.out, HasSubstr("evil\\x1b[2J"));
  EXPECT_THAT(list.out, Not(HasSubstr("\033")));
}

TEST_F(CommandLineTest, AMessageIsTakenBack) {
  MakeProvider();
  const std::string token = Token();
  const std::string id = Send(token, "regretted");
  ASSERT_TRUE(WaitForState(token, id, "AGENT_ACKED"));
  const std::string recall = absl::StrCat("recall ", id, provider_, "--token ", token);
  EXPECT_EQ(Ask(recall, "outcome"), "REQUESTED");
  ASSERT_TRUE(WaitForState(token, id, "RECALLED"));
  EXPECT_EQ(Ask(recall, "outcome"), "TOO_LATE");
  const Outcome unknown =
      Sh(absl::StrCat("$B recall ", FormatUuid(NewMessageId()), provider_, "--token ", token));
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("MESSAGE_NOT_FOUND"));
}

TEST_F(CommandLineTest, Topics) {
  MakeProvider();
  const std::string token = Token();
  const auto topic = [&](const std::string& rest) {
    return Sh(absl::StrCat("$B topic ", rest, provider_));
  };
  EXPECT_THAT(topic("list").out, HasSubstr("no topics yet"));
  Outcome outcome = topic(absl::StrCat("subscribe news ", token));
  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("subscribed  1 token"));
  outcome = topic(absl::StrCat("subscribe news ", token, " 00"));
  EXPECT_EQ(outcome.code, 1) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("BAD_DEVICE_TOKEN  00"));
  EXPECT_THAT(outcome.err, HasSubstr("1 of 2 tokens failed"));
  outcome =
      Sh(absl::StrCat("echo ", token, " | $B topic subscribe weather --tokens_file - ", provider_));
  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(topic(absl::StrCat("list --token ", token)).out,
              AllOf(HasSubstr("news"), HasSubstr("weather")));
  ASSERT_TRUE(WaitUntil([&] {
    return absl::StrContains(topic("list --json").out, R"({"topic":"news","subscribers":1})");
  }));
  EXPECT_EQ(topic(absl::StrCat("unsubscribe weather ", token)).code, 0);

  EXPECT_THAT(topic("send --topic news --text x --validate_only").out, HasSubstr("VALID"));
  outcome = topic("send --condition \"!('news' in topics)\" --text x");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("BAD_CONDITION"));
  EXPECT_EQ(topic("send --topic a --condition \"'a' in topics\" --text x").code, 2);
  const std::string id = Ask(
      absl::StrCat("topic send --topic news --priority high --text rain", provider_), "message_id");
  outcome = topic(absl::StrCat("show --follow ", id));
  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("] 100 %  DONE"), HasSubstr("sent              1")));
  ASSERT_TRUE(WaitUntil([&] {
    return absl::StrContains(topic(absl::StrCat("show --json ", id)).out, R"("AGENT_ACKED":1)");
  }));
  EXPECT_THAT(topic(absl::StrCat("recall ", id)).out, HasSubstr("RECALL"));
  ASSERT_TRUE(WaitUntil(
      [&] { return absl::StrContains(topic(absl::StrCat("show ", id)).out, "RECALLED"); }));
}

TEST_F(CommandLineTest, TokensOfADeletedAppAreDeadAndItsNameIsFree) {
  MakeProvider();
  const std::string token = Token();
  EXPECT_EQ(Ask(absl::StrCat("app delete ", app_, " $ADMIN"), "app_id"), app_);
  const Outcome dead = Sh(absl::StrCat("$B send", provider_, "--text x --token ", token));
  EXPECT_EQ(dead.code, 1);
  EXPECT_THAT(dead.err, HasSubstr("UNREGISTERED"));

  ASSERT_EQ(Ask(absl::StrCat("app create ", app_, " --team ", team_, " $ADMIN"), "app_id"), app_);
  EXPECT_EQ(Sh(absl::StrCat("$B send", provider_, "--text x --token ", token)).code, 1);
  EXPECT_EQ(Sh(absl::StrCat("$B app delete ", app_, " $ADMIN")).code, 0);
  const Outcome twice = Sh(absl::StrCat("$B app delete ", app_, " $ADMIN"));
  EXPECT_THAT(twice.err, HasSubstr("UNKNOWN_APP"));
}

TEST_F(CommandLineTest, ADeletedTeamIsGoneWithWhatItHad) {
  MakeProvider();
  const std::string token = Token();
  const std::string count = absl::StrCat("$B team delete --dry_run $ADMIN ", team_);
  Outcome counted = Sh(count);
  EXPECT_EQ(counted.code, 0) << counted;
  EXPECT_THAT(counted.out, AllOf(HasSubstr("tokens"), HasSubstr("nothing was deleted")));
  EXPECT_THAT(Sh(absl::StrCat("$B app delete --dry_run --json $ADMIN ", app_)).out,
              AllOf(HasSubstr("\"apps\":1"), HasSubstr("\"tokens\":1")));
  EXPECT_EQ(Ask(absl::StrCat("team delete ", team_, " $ADMIN"), "team_id"), team_);
  // In the background.
  ASSERT_TRUE(WaitUntil([&] { return Sh(count).code == 1; }));
  EXPECT_THAT(Sh(count).err, HasSubstr("TEAM_NOT_FOUND"));
  const Outcome dead = Sh(absl::StrCat("$B send", provider_, "--text x --token ", token));
  EXPECT_EQ(dead.code, 1);
  EXPECT_THAT(Sh("$B team list $ADMIN").out, Not(HasSubstr(team_)));
  EXPECT_THAT(Sh(absl::StrCat("$B app list $ADMIN --team ", team_)).err,
              HasSubstr("TEAM_NOT_FOUND"));
}

TEST_F(CommandLineTest, APayloadKeyFileIsMadeOnceAndGrows) {
  const std::string file = " --payload_key_file $DIR/payload.keys";
  const std::string first = Ask("registry key create" + file, "key_id");
  EXPECT_EQ(first.size(), 16u);
  Outcome outcome = Sh("$B registry key create" + file);
  EXPECT_EQ(outcome.code, 1) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("FILE_EXISTS"));
  const std::string second = Ask("registry key rotate" + file, "key_id");
  EXPECT_NE(second, first);
  outcome = Sh("grep -v '^#' $DIR/payload.keys | cut -d' ' -f1; stat -c %a $DIR/payload.keys");
  EXPECT_EQ(outcome.out, absl::StrCat(second, "\n", first, "\n600\n"));
  // The server here runs without one.
  EXPECT_THAT(Sh("$B registry key status $ADMIN").out, HasSubstr("payloads are in the clear"));
  EXPECT_EQ(Ask("registry key status $ADMIN", "current_key_id"), "");
}

TEST_F(CommandLineTest, AdministratorsHaveNamesAndRolesAndAreAudited) {
  const std::string local = absl::StrCat(" --data_dir ", fleet_->data_dir());
  const std::string as_alice = absl::StrCat(" --server ", fleet_->provider_address(), " --ca ",
                                            fleet_->ca_file(), " --admin_token_file $DIR/alice");
  Outcome outcome = Sh("$B admin create alice --role operator --out $DIR/alice" + local);
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(Sh("$B admin create alice --out $DIR/other" + local).code, 1) << "there is one";
  EXPECT_TRUE(absl::StrContains(Sh("$B admin list" + local).out, "operator"));
  const std::string team = Ask("team create ByAlice" + as_alice, "team_id");
  ASSERT_NE(team, "");
  outcome = Sh(absl::StrCat("$B team delete ", team, as_alice));
  EXPECT_EQ(outcome.code, 1) << outcome;
  EXPECT_TRUE(absl::StrContains(outcome.err, "alice is operator")) << outcome;
  ASSERT_EQ(Sh(absl::StrCat("$B team delete ", team, " $ADMIN")).code, 0);

  ASSERT_TRUE(WaitUntil([&] {
    const std::string log = Sh("$B audit" + local).out;
    return absl::StrContains(log, "DeleteTeam") && absl::StrContains(log, "ADMIN_ROLE") &&
           absl::StrContains(log, team) && absl::StrContains(log, "CreateAdministrator") &&
           absl::StrContains(log, "admin.token");
  })) << Sh("$B audit" + local);
  outcome = Sh("$B audit --verify" + local);
  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_TRUE(absl::StrContains(outcome.out, "none changed, missing or moved")) << outcome;
  outcome = Sh(absl::StrCat("mkdir $DIR/forged && sed 's/alice/mallo/' ", fleet_->data_dir(),
                            "/audit.log > $DIR/forged/audit.log\n"
                            "$B audit --verify --data_dir $DIR/forged"));
  EXPECT_EQ(outcome.code, 1) << outcome;
  EXPECT_TRUE(absl::StrContains(outcome.err, "was changed")) << outcome;

  EXPECT_EQ(Sh("$B team list" + as_alice).code, 0);
  ASSERT_EQ(Sh("$B admin remove alice" + local).code, 0);
  EXPECT_EQ(Sh("$B team list" + as_alice).code, 1) << "with the next call";
}

TEST_F(CommandLineTest, AFleetHasADirectoryForEachDaemon) {
  const std::string fleet = " --data_dir $DIR/fleet";
  Outcome outcome =
      Sh("$B init --fleet --gateways 1 --connectors 2 --server_name push.example.com" + fleet);
  ASSERT_EQ(outcome.code, 0) << outcome;
  outcome = Sh("ls $DIR/fleet/connector-2");
  EXPECT_EQ(outcome.out, "internal\nserver.key\nserver.pem\nticket.keys\n");
  outcome = Sh("$B cert show" + fleet);
  EXPECT_EQ(outcome.code, 0) << outcome;
  for (const char* what : {"connector-2/internal/node.pem", "push.example.com", "registry"}) {
    EXPECT_TRUE(absl::StrContains(outcome.out, what)) << outcome;
  }
  outcome = Sh("$B cert renew" + fleet);
  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_TRUE(absl::StrContains(outcome.out, "gateway-1/server.pem")) << outcome;
  // One daemon's directory is not what `serve` needs, and nothing makes it so.
  outcome = Sh("$B serve --data_dir $DIR/fleet/connector-1 --provider_listen 127.0.0.1:0");
  EXPECT_EQ(outcome.code, 1) << outcome;
  outcome = Sh("$B init --repair --data_dir $DIR/fleet/connector-1");
  EXPECT_EQ(outcome.code, 1) << outcome;
  EXPECT_TRUE(absl::StrContains(outcome.err, "is the directory of a connector")) << outcome;
}

TEST_F(CommandLineTest, TopSaysWhatDoesNotAnswer) {
  const Outcome no_address = Sh("$B top --once --metrics 9464");
  EXPECT_EQ(no_address.code, 1) << no_address;
  EXPECT_THAT(no_address.err, HasSubstr("neither HOST:PORT nor unix:PATH"));
  const Outcome nobody = Sh("$B top --json --metrics unix:$DIR/none.sock");
  EXPECT_EQ(nobody.code, 1) << nobody;
  EXPECT_THAT(nobody.out, HasSubstr("\"error\":\"nobody shows metrics at unix:"));
  EXPECT_THAT(nobody.err, HasSubstr("--metrics_listen"));
  const Outcome no_terminal = Sh("$B top </dev/null");
  EXPECT_EQ(no_terminal.code, 1) << no_terminal;
  EXPECT_THAT(no_terminal.err, HasSubstr("--once"));
}

TEST_F(CommandLineTest, ListenSaysWhatItWaitsFor) {
  const std::string listen = absl::StrCat("timeout 3 $B listen --app ", kMail);
  const Outcome no_agent = Sh(listen + " --socket $DIR/none.sock");
  EXPECT_THAT(no_agent.out, HasSubstr("no agent yet"));
  EXPECT_THAT(no_agent.out, HasSubstr("is bellwire-agent running?"));

  Phone lonely(*fleet_, "lonely");
  // Nobody listens there.
  lonely.SetConnectors({});
  lonely.SetMoreArguments({"--server", "127.0.0.1:1"});
  ASSERT_TRUE(lonely.Start().ok());
  const Outcome no_server = Sh(absl::StrCat(listen, " --json --socket ", lonely.socket_path()));
  EXPECT_THAT(no_server.out, HasSubstr("\"event\":\"waiting\""));
  EXPECT_THAT(no_server.out, HasSubstr("not connected to its server 127.0.0.1:1"));
}

TEST_F(CommandLineTest, AStopEndsTheCommandOfListenToo) {
  MakeProvider();
  const std::string token = Token();
  const std::string id = Send(token, "endless");
  const Outcome outcome =
      Sh(absl::StrCat("$B listen --socket $SOCKET --app ", app_,
                      " --exec 'echo $$ > $DIR/pid; sleep 1000; true' &\nLISTEN=$!\n"
                      "while ! [ -s $DIR/pid ]; do sleep 0.05; done\n"
                      "kill -TERM $LISTEN; wait $LISTEN; echo code $?\n"
                      "kill -0 $(cat $DIR/pid) 2>/dev/null || echo gone"));
  EXPECT_THAT(outcome.out, HasSubstr("code 0"));
  EXPECT_THAT(outcome.out, HasSubstr("gone"));
  EXPECT_EQ(State(token, id), "AGENT_ACKED");
}

TEST_F(CommandLineTest, WhatIsLostIsMadeAgain) {
  ASSERT_EQ(Sh("$B init --data_dir $DIR/lost").code, 0);
  const std::string serve =
      "rm -f $DIR/ready; $B serve --data_dir $DIR/lost --provider_listen 127.0.0.1:0 "
      "--device_listen 127.0.0.1:0 --ready_file $DIR/ready & SERVE=$!\n"
      "while ! [ -s $DIR/ready ] && kill -0 $SERVE 2>/dev/null; do sleep 0.05; done\n"
      "[ -s $DIR/ready ] && READY=yes || READY=no; kill -TERM $SERVE; wait $SERVE; "
      "echo ready $READY code $?";
  for (const char* lose : {"rm $DIR/lost/server.pem", "rm $DIR/lost/admin.token",
                           "rm -r $DIR/lost/internal", ": > $DIR/lost/server.key"}) {
    ASSERT_EQ(Sh(lose).code, 0);
    const Outcome refused = Sh("$B serve --data_dir $DIR/lost");
    EXPECT_EQ(refused.code, 1) << lose;
    EXPECT_THAT(refused.err, HasSubstr("bellwire init --repair --data_dir")) << lose;
    const Outcome repaired = Sh("$B init --repair --data_dir $DIR/lost");
    EXPECT_EQ(repaired.code, 0) << lose << repaired;
    EXPECT_THAT(Sh(serve).out, HasSubstr("ready yes code 0")) << lose;
  }
  // This one costs nothing but full handshakes, so it stops nothing.
  ASSERT_EQ(Sh(": > $DIR/lost/ticket.keys").code, 0);
  const Outcome served = Sh(serve);
  EXPECT_THAT(served.out, HasSubstr("ready yes code 0"));
  EXPECT_THAT(served.err, HasSubstr("ticket_keys_unusable"));
}

// The names in the certificate that a server shows.
std::vector<std::string> NamesShown(const std::string& address, const std::string& alpn) {
  const auto host_port = net::ParseHostPort(address);
  const auto to = net::NumericAddress(host_port->host, host_port->port);
  const int fd = socket(to->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::vector<std::string> names;
  SSL_CTX* const ctx = SSL_CTX_new(TLS_client_method());
  SSL* const ssl = SSL_new(ctx);
  const std::string protocols = absl::StrCat(std::string(1, static_cast<char>(alpn.size())), alpn);
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(protocols.data()),
                      static_cast<unsigned>(protocols.size()));
  if (connect(fd, to->get(), to->size) == 0 && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1) {
    const X509Ptr certificate(SSL_get1_peer_certificate(ssl));
    names = ReadCertificateFacts(CertificatePem(certificate.get()))->dns_names;
  }
  SSL_free(ssl);
  SSL_CTX_free(ctx);
  close(fd);
  return names;
}

bool Shows(const std::string& address, const std::string& alpn, const std::string& name) {
  const std::vector<std::string> names = NamesShown(address, alpn);
  return std::find(names.begin(), names.end(), name) != names.end();
}

class HangupTest : public testing::TestWithParam<Deployment> {};

TEST_P(HangupTest, ReloadsWhatCanBeAndKeepsEverySession) {
  auto started = Fleet::Start(GetParam());
  ASSERT_TRUE(started.ok()) << started.status();
  Fleet& fleet = **started;
  auto provider = Provider::Create(fleet, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  Phone phone(fleet, "phone", {0});
  ASSERT_TRUE(phone.Start().ok());
  App app(phone.socket_path(), kMail);
  const std::string token = app.WaitForToken();
  ASSERT_FALSE(token.empty());
  const std::vector<std::string> connections = TcpConnections(phone.agent().pid());

  const bool separate = GetParam() == Deployment::kSeparate;
  const std::string gateway_dir = separate ? fleet.path("daemons/gateway-1") : fleet.data_dir();
  const std::string connector_dir = separate ? fleet.path("daemons/connector-1") : fleet.data_dir();
  auto add_name = Process::Start("cert", "cli/bellwire",
                                 {"cert", "add-name", "new.example.com", "--data_dir",
                                  separate ? fleet.path("daemons") : fleet.data_dir()});
  ASSERT_TRUE(add_name.ok());
  ASSERT_EQ(*(*add_name)->Wait(), 0) << (*add_name)->Log();
  EXPECT_THAT(NamesShown(fleet.provider_address(), "h2"), Not(Contains("new.example.com")));
  for (const std::string& directory : {fleet.data_dir(), gateway_dir}) {
    ASSERT_TRUE(ReplaceFileAtomically(directory + "/admin.token", "another token\n",
                                      FileAccess::kPrivate)
                    .ok());
  }
  std::vector<Process*> processes = {&fleet.gateway(0), &phone.agent()};
  if (separate) {
    processes.insert(processes.end(), {&fleet.gateway(1), &fleet.connector(0), &fleet.connector(1),
                                       &fleet.registry()});
  }
  for (Process* process : processes) kill(process->pid(), SIGHUP);
  EXPECT_TRUE(WaitUntil([&] { return Shows(fleet.provider_address(), "h2", "new.example.com"); }));
  EXPECT_TRUE(
      WaitUntil([&] { return Shows(fleet.device_address(), "bellwire/1", "new.example.com"); }));
  // Fleet::Authorize reads the file: the old token is forgotten, or this would not end.
  EXPECT_TRUE(WaitUntil([&] { return Provider::Create(fleet, {}).ok(); }));
  EXPECT_TRUE(WaitUntil([&] { return absl::StrContains(phone.agent().Log(), "reloaded"); }));
  for (Process* process : processes) EXPECT_TRUE(process->running());
  EXPECT_EQ(TcpConnections(phone.agent().pid()), connections);
  ASSERT_TRUE(provider->SendReliably(token, "after the reload").ok());
  EXPECT_TRUE(app.WaitForTaken(1));

  // What can't be read leaves things as they are, and is told.
  for (const std::string& directory : {gateway_dir, connector_dir}) {
    ASSERT_TRUE(
        ReplaceFileAtomically(directory + "/server.pem", "garbage", FileAccess::kPublic).ok());
  }
  kill(fleet.gateway(0).pid(), SIGHUP);
  kill(fleet.connector(0).pid(), SIGHUP);
  for (Process* process : {&fleet.gateway(0), &fleet.connector(0)}) {
    EXPECT_TRUE(
        WaitUntil([&] { return absl::StrContains(process->Log(), "event=reload_failed"); }));
  }
  EXPECT_THAT(NamesShown(fleet.provider_address(), "h2"), Contains("new.example.com"));
  EXPECT_THAT(NamesShown(fleet.device_address(), "bellwire/1"), Contains("new.example.com"));
}

INSTANTIATE_TEST_SUITE_P(Deployments, HangupTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
