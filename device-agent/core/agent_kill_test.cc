// bellwire-agent as a process, killed with SIGKILL again and again while messages flow: its apps
// see each of them once and in order.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "device-agent/testing/client_app.h"
#include "device-agent/testing/companion_app.h"
#include "device-agent/testing/tls_test_server.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

class AgentProcess {
 public:
  AgentProcess(const TempDir& dir, const std::string& server) {
    const std::string program = absl::StrCat(getenv("TEST_SRCDIR"), "/", getenv("TEST_WORKSPACE"),
                                             "/device-agent/bellwire-agent");
    const std::string ready = dir.path("ready");
    const std::vector<std::string> args = {program,
                                           "--server",
                                           server,
                                           "--ca",
                                           dir.path("ca.pem"),
                                           "--state_dir",
                                           dir.path("state"),
                                           "--socket",
                                           dir.path("agent.sock"),
                                           "--ready_file",
                                           ready,
                                           "--log_level",
                                           "error"};
    std::vector<char*> argv;
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    unlink(ready.c_str());
    pid_ = fork();
    if (pid_ == 0) {
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    const absl::Time deadline = RealClock()->WallNow() + absl::Minutes(1);
    while (access(ready.c_str(), F_OK) != 0 && RealClock()->WallNow() < deadline) {
      absl::SleepFor(absl::Milliseconds(2));
    }
    EXPECT_EQ(access(ready.c_str(), F_OK), 0) << "the agent did not start";
  }
  ~AgentProcess() { End(SIGKILL); }

  // Its exit status, as waitpid gives it.
  int End(int signal_number) {
    if (pid_ <= 0) return 0;
    int status = 0;
    kill(pid_, signal_number);
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

TEST(AgentKillTest, EachMessageOnceAndInOrder) {
  TempDir dir;
  TlsTestServer server;
  std::ofstream(dir.path("ca.pem")) << server.ca_pem();
  auto agent = std::make_unique<AgentProcess>(dir, server.address());
  ClientApp mail(dir.path("agent.sock"), "com.example.mail");
  ClientApp chat(dir.path("agent.sock"), "com.example.chat");
  ASSERT_NE(mail.Token(), "");
  ASSERT_NE(chat.Token(), "");

  constexpr uint64_t kRounds = 12;
  constexpr uint64_t kMessagesEach = 60;
  std::vector<std::string> expected[2];
  uint64_t seq = 0;
  for (uint64_t round = 0; round < kRounds; ++round) {
    for (uint64_t i = 0; i < kMessagesEach; ++i) {
      ++seq;
      server.Do([seq](FakeConnector* c) {
        c->Push(seq, c->RegistrationIdOf(seq % 2 == 0 ? "com.example.mail" : "com.example.chat"));
      });
      expected[seq % 2].push_back(absl::StrCat("message ", seq));
    }
    // Somewhere in the middle of these: more of them each time.
    server.WaitUntil([&](FakeConnector* c) {
      return c->unacked() <= kMessagesEach * (kRounds - round) / (kRounds + 1);
    });
    agent->End(SIGKILL);
    agent = std::make_unique<AgentProcess>(dir, server.address());
  }
  EXPECT_EQ(mail.Messages(expected[0].size()), expected[0]);
  EXPECT_EQ(chat.Messages(expected[1].size()), expected[1]);
  EXPECT_TRUE(server.WaitUntil([](FakeConnector* c) { return c->unacked() == 0; }));
  EXPECT_EQ(mail.token_count(), 1u);

  const int status = agent->End(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "SIGTERM stops it cleanly";
}

TEST(AgentKillTest, EachMessageOfASubscriptionOnceAndInOrder) {
  TempDir dir;
  TlsTestServer server;
  std::ofstream(dir.path("ca.pem")) << server.ca_pem();
  auto agent = std::make_unique<AgentProcess>(dir, server.address());
  CompanionApp companion(dir.path("agent.sock"));
  const std::string names[] = {"mail", "chat"};
  for (const std::string& name : names) {
    companion.Subscribe(name);
    ASSERT_NE(companion.Endpoint(name), "");
  }

  constexpr uint64_t kRounds = 12;
  constexpr uint64_t kMessagesEach = 60;
  std::vector<std::string> expected[2];
  uint64_t seq = 0;
  for (uint64_t round = 0; round < kRounds; ++round) {
    for (uint64_t i = 0; i < kMessagesEach; ++i) {
      ++seq;
      server.Do([seq](FakeConnector* c) {
        const std::string& instance = c->subscriptions.at(seq % 2).instance();
        c->Push(seq, c->RegistrationIdOf(FakeConnector::SubscriptionId(instance)));
      });
      expected[seq % 2].push_back(absl::StrCat("message ", seq));
    }
    server.WaitUntil([&](FakeConnector* c) {
      return c->unacked() <= kMessagesEach * (kRounds - round) / (kRounds + 1);
    });
    agent->End(SIGKILL);
    agent = std::make_unique<AgentProcess>(dir, server.address());
  }
  for (const int i : {0, 1}) {
    EXPECT_EQ(companion.Messages(names[i], expected[i].size()), expected[i]);
    EXPECT_EQ(companion.endpoint_count(names[i]), 1u);
  }
  EXPECT_TRUE(server.WaitUntil([](FakeConnector* c) { return c->unacked() == 0; }));

  // What was unsubscribed stays so, whatever happens then.
  companion.Unsubscribe("mail");
  EXPECT_EQ(companion.Unsubscribed(1).size(), 1u);
  agent->End(SIGKILL);
  agent = std::make_unique<AgentProcess>(dir, server.address());
  EXPECT_TRUE(server.WaitUntil([](FakeConnector* c) {
    return c->app_requests.back() ==
           absl::StrCat("remove ", FakeConnector::SubscriptionId(c->subscriptions[0].instance()));
  }));
}

}  // namespace
}  // namespace bellwire::agent
