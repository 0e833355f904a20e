// The agent on real sockets: TLS to a server on the loopback, three apps on its Unix socket.

#include "device-agent/core/agent.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "device-agent/client/client.h"
#include "device-agent/testing/client_app.h"
#include "device-agent/testing/tls_test_server.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Strings = std::vector<std::string>;

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";
constexpr char kNews[] = "com.example.news";

class AgentTest : public testing::Test {
 protected:
  AgentTest() {
    std::ofstream(dir_.path("ca.pem")) << server_.ca_pem();
    options_.servers = {server_.address()};
    options_.ca_path = dir_.path("ca.pem");
    options_.state_dir = dir_.path("state");
    options_.socket_path = dir_.path("agent.sock");
  }
  ~AgentTest() override { StopAgent(); }

  void StartAgent() {
    auto agent = Agent::Start(options_);
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    thread_ = std::thread([this] { agent_->Run(); });
  }
  void StopAgent() {
    if (agent_ == nullptr) return;
    agent_->Stop();
    thread_.join();
    agent_.reset();
  }

  void Push(uint64_t seq, const std::string& app_id) {
    server_.Do([&](FakeConnector* c) { c->Push(seq, c->RegistrationIdOf(app_id)); });
  }

  TempDir dir_;
  TlsTestServer server_;
  AgentOptions options_;
  std::unique_ptr<Agent> agent_;
  std::thread thread_;
};

TEST_F(AgentTest, ThreeAppsShareOneConnection) {
  StartAgent();
  ClientApp mail(options_.socket_path, kMail);
  ClientApp chat(options_.socket_path, kChat);
  ClientApp news(options_.socket_path, kNews);
  EXPECT_NE(mail.Token(), "");
  EXPECT_NE(chat.Token(), mail.Token());
  EXPECT_NE(news.Token(), mail.Token());
  Push(1, kMail);
  Push(2, kChat);
  Push(3, kNews);
  EXPECT_EQ(mail.Messages(1), Strings{"message 1"});
  EXPECT_EQ(chat.Messages(1), Strings{"message 2"});
  EXPECT_EQ(news.Messages(1), Strings{"message 3"});
  EXPECT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->app_acks.size() == 3; }));
  server_.Do([](FakeConnector* c) {
    EXPECT_EQ(c->connections, 1);
    EXPECT_EQ(c->unacked(), 0u);
  });
}

TEST_F(AgentTest, ARestartKeepsTokenAndOrderAndRepeatsNothing) {
  StartAgent();
  ClientApp mail(options_.socket_path, kMail);
  const std::string token = mail.Token();
  constexpr uint64_t kMessages = 200;
  Strings expected;
  for (uint64_t seq = 1; seq <= kMessages; ++seq) {
    Push(seq, kMail);
    expected.push_back(absl::StrCat("message ", seq));
    if (seq % 50 == 0) {
      StopAgent();
      StartAgent();
    }
  }
  EXPECT_EQ(mail.Messages(kMessages), expected);
  EXPECT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->unacked() == 0; }));
  EXPECT_EQ(mail.token_count(), 1u) << "the client tells of a token once";
  EXPECT_EQ(mail.Token(), token);
}

TEST_F(AgentTest, TheStatusIsThereForTheAsking) {
  EXPECT_TRUE(
      absl::IsUnavailable(FetchAgentStatus(options_.socket_path, absl::Seconds(1)).status()));
  StartAgent();
  ASSERT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->ready(); }));
  ClientApp mail(options_.socket_path, kMail);
  ASSERT_NE(mail.Token(), "");
  auto status = FetchAgentStatus(options_.socket_path, absl::Seconds(30));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->connection(), v1::Status::CONNECTED);
  EXPECT_EQ(status->server_address(), server_.address());
  EXPECT_EQ(status->device_id(), agent_->device_id());
  ASSERT_EQ(status->apps_size(), 1);
  EXPECT_EQ(status->apps(0).app_id(), kMail);
}

TEST_F(AgentTest, ASecondClientOfAnAppEndsTheFirst) {
  StartAgent();
  ClientApp first(options_.socket_path, kMail);
  ASSERT_NE(first.Token(), "");
  ClientApp second(options_.socket_path, kMail);
  EXPECT_EQ(ErrorReason(first.End()), "SESSION_REPLACED");
  EXPECT_NE(second.Token(), "");
}

TEST_F(AgentTest, FilesArePrivateAndTheSocketIsNot) {
  StartAgent();
  auto mode = [](const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
  };
  EXPECT_EQ(mode(options_.state_dir), 0700u);
  EXPECT_EQ(mode(options_.state_dir + "/device.key"), 0600u);
  EXPECT_EQ(mode(options_.state_dir + "/inbox.db"), 0600u);
  EXPECT_EQ(mode(options_.socket_path), 0666u);
  const std::string device_id = agent_->device_id();
  StopAgent();
  EXPECT_NE(access(options_.socket_path.c_str(), F_OK), 0) << "the socket goes with its agent";
  StartAgent();
  EXPECT_EQ(agent_->device_id(), device_id);
}

TEST_F(AgentTest, ASecondAgentIsRefused) {
  StartAgent();
  AgentOptions other = options_;
  other.socket_path = dir_.path("other.sock");
  EXPECT_EQ(ErrorReason(Agent::Start(other).status()), "STATE_DIRECTORY_IN_USE");
  other.socket_path = options_.socket_path;
  other.state_dir = dir_.path("other");
  EXPECT_EQ(ErrorReason(Agent::Start(other).status()), "SOCKET_IN_USE");
}

TEST_F(AgentTest, AStaleSocketIsReplaced) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, options_.socket_path.c_str());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  StartAgent();
  ClientApp mail(options_.socket_path, kMail);
  EXPECT_NE(mail.Token(), "");
}

TEST_F(AgentTest, OptionsAreChecked) {
  auto refused = [this](auto change) {
    AgentOptions options = options_;
    change(&options);
    return absl::IsInvalidArgument(Agent::Start(options).status());
  };
  EXPECT_TRUE(refused([](AgentOptions* o) { o->servers.clear(); }));
  EXPECT_TRUE(refused([](AgentOptions* o) { o->ca_path.clear(); }));
  EXPECT_TRUE(refused([](AgentOptions* o) { o->pin_sha256_hex = std::string(64, 'a'); }));
  EXPECT_TRUE(refused([](AgentOptions* o) {
    o->ca_path.clear();
    o->pin_sha256_hex = "zz";
  }));
  EXPECT_TRUE(refused([](AgentOptions* o) { o->state_dir.clear(); }));
  EXPECT_TRUE(refused([](AgentOptions* o) { o->socket_path.clear(); }));
  EXPECT_TRUE(refused([](AgentOptions* o) { o->heartbeat_interval = absl::ZeroDuration(); }));
}

TEST_F(AgentTest, ADamagedInboxSaysWhatToDo) {
  StartAgent();
  StopAgent();
  std::ofstream(options_.state_dir + "/inbox.db", std::ios::trunc) << std::string(5000, 'x');
  const auto agent = Agent::Start(options_);
  EXPECT_TRUE(absl::IsDataLoss(agent.status())) << agent.status();
  EXPECT_NE(agent.status().message().find("Move it away"), absl::string_view::npos);
}

TEST_F(AgentTest, WhatWasLearnedAboutTheNetworkIsKept) {
  server_.Do([](FakeConnector* c) {
    c->heartbeat_bounds.emplace().set_min_interval_ms(1);
    c->heartbeat_bounds->set_max_interval_ms(50);
  });
  const std::string file = options_.state_dir + "/networks.state";
  StartAgent();
  EXPECT_TRUE(server_.WaitUntil([&](FakeConnector*) { return access(file.c_str(), F_OK) == 0; }));
  StopAgent();
  struct stat info;
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  // It only saves energy: damaged, it is no reason to stay away.
  std::ofstream(file, std::ios::trunc) << std::string(100, '\xff');
  StartAgent();
  ClientApp mail(options_.socket_path, kMail);
  EXPECT_NE(mail.Token(), "");
}

TEST_F(AgentTest, TheWatchdogHearsFromARunningAgentWhetherAnythingHappensOrNot) {
  options_.servers = {"127.0.0.1:1"};
  options_.reconnect_max = absl::Hours(1);
  std::atomic<int> told{0};
  options_.watchdog_interval = absl::Milliseconds(100);
  options_.watchdog = [&told] { ++told; };
  StartAgent();
  EXPECT_TRUE(server_.WaitUntil([&](FakeConnector*) { return told > 10; }));
}

// The server's certificate is not of the authority that we trust.
TEST_F(AgentTest, AnImpostorGetsNoLogin) {
  TlsTestServer impostor;
  options_.servers = {impostor.address()};
  StartAgent();
  auto error = [this] {
    auto status = FetchAgentStatus(options_.socket_path, absl::Seconds(30));
    return status.ok() ? status->last_error() : "";
  };
  EXPECT_TRUE(impostor.WaitUntil([&](FakeConnector*) { return !error().empty(); }));
  impostor.Do([](FakeConnector* c) { EXPECT_TRUE(c->logins.empty()); });
}

TEST_F(AgentTest, HostileBytesOnTheSocketHarmNobodyElse) {
  StartAgent();
  ClientApp mail(options_.socket_path, kMail);
  ASSERT_NE(mail.Token(), "");
  std::mt19937_64 random(4);
  for (int round = 0; round < 30; ++round) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, options_.socket_path.c_str());
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    std::string bytes = round % 3 == 0 ? "GET / HTTP/1.1\r\nHost: phone\r\n\r\n" : "";
    while (bytes.size() < 40'000) bytes.push_back(static_cast<char>(random()));
    bytes.append(20'000, '\xff');
    // The agent closes as soon as it has seen enough.
    (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    char answer[4096];
    while (recv(fd, answer, sizeof(answer), 0) > 0) {
    }
    close(fd);
  }
  Push(1, kMail);
  EXPECT_EQ(mail.Messages(1), Strings{"message 1"});
}

}  // namespace
}  // namespace bellwire::agent
