// Apps of a real agent on a real socket: hundreds of them, slow ones, dead ones, strangers, those
// that are not running, and one in Python.

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "device-agent/client/client.h"
#include "device-agent/testing/agent_on_socket.h"
#include "device-agent/testing/client_app.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Strings = std::vector<std::string>;

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";

using AppsTest = AgentOnSocket;

TEST_F(AppsTest, AnotherUserNeitherReadsNorRemovesNorSeesNorKeepsOut) {
  StartAgent();
  std::string token;
  {
    ClientApp mail(options_.socket_path, kMail);
    token = mail.Token();
    ASSERT_NE(token, "");
  }
  Push(1, kMail);
  ASSERT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->unacked() == 0; }));

  v1::AppFrame unregister;
  unregister.mutable_unregister();
  v1::AppFrame ack;
  ack.mutable_ack()->add_delivery_ids(1);
  const auto theft = TalkAs(kStranger, HelloAndRegister(kMail) + Bytes(ack) + Bytes(unregister));
  if (!theft.has_value()) GTEST_SKIP() << "needs the right to become another user (root)";
  // An app id says nothing about whose app it is: what the stranger has, and ends, is its own.
  for (const v1::AgentFrame& frame : *theft) {
    EXPECT_FALSE(frame.has_delivery());
    EXPECT_NE(frame.registered().token(), token);
  }
  EXPECT_TRUE(theft->back().has_unregistered());

  v1::AppFrame status;
  status.mutable_status_request();
  const auto seen = TalkAs(kStranger, Bytes(status));
  ASSERT_TRUE(seen.has_value());
  ASSERT_EQ(seen->size(), 1u);
  EXPECT_EQ(seen->at(0).status().apps_size(), 0);
  EXPECT_FALSE(seen->at(0).status().has_network());

  // An app of its own it may have.
  const auto own = TalkAs(kStranger, HelloAndRegister(kChat));
  ASSERT_TRUE(own.has_value());
  ASSERT_EQ(own->size(), 2u);
  EXPECT_TRUE(own->at(1).has_registered());

  ClientApp mail(options_.socket_path, kMail);
  EXPECT_EQ(mail.Token(), token);
  EXPECT_EQ(mail.Messages(1), Strings{"message 1"});
}

TEST_F(AppsTest, HundredsOfApps) {
  constexpr int kApps = 300;
  StartAgent();
  // In one thread, as no phone has it.
  struct App {
    std::string id;
    std::string token;
    Strings got;
    std::unique_ptr<Client> client;
  };
  std::vector<std::unique_ptr<App>> apps;
  for (int i = 0; i < kApps; ++i) {
    auto app = std::make_unique<App>();
    app->id = absl::StrCat("com.example.app", i);
    ClientCallbacks callbacks;
    callbacks.on_token = [a = app.get()](const std::string& token) { a->token = token; };
    callbacks.on_message = [a = app.get()](const Message& message) {
      a->got.push_back(message.payload);
      return true;
    };
    auto client = Client::Create({.socket_path = options_.socket_path, .app_id = app->id},
                                 std::move(callbacks));
    ASSERT_TRUE(client.ok()) << client.status();
    app->client = *std::move(client);
    app->client->Register();
    apps.push_back(std::move(app));
  }
  const auto until_all = [&](auto condition) {
    return server_.WaitUntil([&](FakeConnector*) {
      bool all = true;
      for (const auto& app : apps) {
        EXPECT_TRUE(app->client->Dispatch(absl::ZeroDuration()).ok());
        all = all && condition(*app);
      }
      return all;
    });
  };
  ASSERT_TRUE(until_all([](const App& app) { return !app.token.empty(); }));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kApps; ++i) Push(1 + round * kApps + i, apps[i]->id);
  }
  ASSERT_TRUE(until_all([](const App& app) { return app.got.size() >= 3; }));
  for (int i = 0; i < kApps; ++i) {
    EXPECT_EQ(apps[i]->got,
              (Strings{absl::StrCat("message ", 1 + i), absl::StrCat("message ", 1 + kApps + i),
                       absl::StrCat("message ", 1 + 2 * kApps + i)}));
  }
  server_.Do([](FakeConnector* c) { EXPECT_EQ(c->connections, 1); });
  auto status = FetchAgentStatus(options_.socket_path, absl::Seconds(30));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->apps_size(), kApps);
}

TEST_F(AppsTest, ASlowAppAndADeadOneCostTheOthersNothing) {
  StartAgent();
  // One reads nothing, ever; one is stopped in the middle of a frame; one takes what is its.
  const int slow = Connect(options_.socket_path);
  ASSERT_GE(slow, 0);
  const std::string hello = HelloAndRegister("com.example.slow");
  ASSERT_EQ(send(slow, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
  const int dead = Connect(options_.socket_path);
  ASSERT_GE(dead, 0);
  const std::string half = HelloAndRegister("com.example.dead") + "\x7f";
  ASSERT_EQ(send(dead, half.data(), half.size(), 0), static_cast<ssize_t>(half.size()));
  ClientApp mail(options_.socket_path, kMail);
  ASSERT_NE(mail.Token(), "");
  constexpr uint64_t kMessages = 300;
  Strings expected;
  for (uint64_t n = 0; n < kMessages; ++n) {
    Push(3 * n + 1, "com.example.slow");
    Push(3 * n + 2, "com.example.dead");
    Push(3 * n + 3, kMail);
    expected.push_back(absl::StrCat("message ", 3 * n + 3));
  }
  EXPECT_EQ(mail.Messages(kMessages), expected);
  close(slow);
  close(dead);
}

TEST_F(AppsTest, AnAppThatIsNotRunningIsStartedAndFindsItsMessages) {
  options_.start_app_hook = dir_.path("hook");
  std::ofstream(options_.start_app_hook)
      << "#!/bin/sh\necho \"$1 $BELLWIRE_APP_UID\" >> " << dir_.path("started")
      << "\n"
      // The hook of another app hangs, which is not this one's concern.
      << "[ $1 = " << kChat << " ] && exec sleep 1000\nexit 0\n";
  ASSERT_EQ(chmod(options_.start_app_hook.c_str(), 0755), 0);
  StartAgent();
  for (const char* app : {kChat, kMail}) {
    ClientApp client(options_.socket_path, app);
    ASSERT_NE(client.Token(), "");
  }
  const auto started = [this](const char* app) {
    return server_.WaitUntil([&](FakeConnector*) {
      return Text("started").find(absl::StrCat(app, " ", getuid(), "\n")) != std::string::npos;
    });
  };
  Push(1, kChat);
  ASSERT_TRUE(started(kChat));
  Push(2, kMail);
  ASSERT_TRUE(started(kMail));
  ClientApp mail(options_.socket_path, kMail);
  EXPECT_EQ(mail.Messages(1), Strings{"message 2"});
  // While it runs it gets them without a hook.
  Push(3, kMail);
  EXPECT_EQ(mail.Messages(2), (Strings{"message 2", "message 3"}));
  EXPECT_EQ(Text("started"), absl::StrCat(kChat, " ", getuid(), "\n", kMail, " ", getuid(), "\n"));
}

TEST_F(AppsTest, AHookThatIsNoProgramIsSaidAtOnce) {
  options_.start_app_hook = dir_.path("nothing");
  const auto agent = Agent::Start(options_);
  EXPECT_TRUE(absl::IsInvalidArgument(agent.status())) << agent.status();
}

// examples/python_app knows docs/reference/agent_protocol.md and nothing else.
TEST_F(AppsTest, AnAppInPython) {
  StartAgent();
  const pid_t pid = fork();
  if (pid == 0) {
    const int out = creat(dir_.path("out").c_str(), 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execl("/usr/bin/python3", "python3", "examples/python_app/app.py", "--socket",
          options_.socket_path.c_str(), "--app", kMail, nullptr);
    _exit(127);
  }
  const auto says = [this](const std::string& text) {
    return server_.WaitUntil(
        [&](FakeConnector*) { return Text("out").find(text) != std::string::npos; });
  };
  std::string token;
  server_.Do([&](FakeConnector* c) { token = c->TokenOf(kMail); });
  EXPECT_TRUE(says(token)) << Text("out");
  Push(1, kMail);
  EXPECT_TRUE(says("payload: \"message 1\"")) << Text("out");
  EXPECT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->app_acks.size() == 1; }));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace bellwire::agent
