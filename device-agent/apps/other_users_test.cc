// What one user of a phone tries against another one's apps, each as a process of that user against
// a real agent. What greedy users take away from others is in greedy_user_test.cc.

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "device-agent/client/client.h"
#include "device-agent/testing/agent_on_socket.h"
#include "device-agent/testing/client_app.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Frames = std::vector<v1::AgentFrame>;
using Strings = std::vector<std::string>;

constexpr char kBank[] = "com.bank.app";
constexpr uid_t kMallory = 2001;
constexpr uid_t kAlice = 2002;

class OtherUsersTest : public AgentOnSocket {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs the right to become another user (root)";
  }
  void RestartAgent() {
    agent_->Stop();
    thread_.join();
    agent_.reset();
    StartAgent();
  }
  Frames Talk(uid_t uid, const std::string& bytes, size_t enough = SIZE_MAX) {
    std::optional<Frames> frames = TalkAs(uid, bytes, enough);
    EXPECT_TRUE(frames.has_value());
    return frames.value_or(Frames());
  }
  // Of an app that says Hello and Register; empty: it got none.
  std::string TokenFor(uid_t uid, const std::string& app_id) {
    std::string token;
    for (const v1::AgentFrame& frame : Talk(uid, HelloAndRegister(app_id), 2)) {
      if (frame.has_registered()) token = frame.registered().token();
    }
    return token;
  }
  static Strings Payloads(const Frames& frames) {
    Strings result;
    for (const v1::AgentFrame& frame : frames) {
      if (frame.has_delivery()) result.push_back(frame.delivery().payload());
    }
    return result;
  }
  void WritePolicy(const std::string& text) {
    options_.policy_path = dir_.path("policy");
    std::ofstream(options_.policy_path) << text;
    ASSERT_EQ(chmod(options_.policy_path.c_str(), 0644), 0);
  }
};

TEST_F(OtherUsersTest, ASquattedAppIdKeepsTheRealAppNotOut) {
  StartAgent();
  const std::string squatted = TokenFor(kMallory, kBank);
  ASSERT_NE(squatted, "");
  const std::string real = TokenFor(kAlice, kBank);
  ASSERT_NE(real, "");
  EXPECT_NE(real, squatted);
  RestartAgent();
  EXPECT_EQ(TokenFor(kAlice, kBank), real) << "also after a restart";
  EXPECT_EQ(TokenFor(kMallory, kBank), squatted);
  // The first one that asked the server is plain there, the second one has "@2".
  Push(1, kBank);
  Push(2, absl::StrCat(kBank, "@2"));
  ASSERT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->unacked() == 0; }));
  EXPECT_EQ(Payloads(Talk(kMallory, HelloAndRegister(kBank), 3)), Strings{"message 1"});
  EXPECT_EQ(Payloads(Talk(kAlice, HelloAndRegister(kBank), 3)), Strings{"message 2"});
}

// A stranger under the same app id says everything that the protocol has.
TEST_F(OtherUsersTest, EveryMethodIsAboutTheCallersOwn) {
  StartAgent();
  const std::string token = TokenFor(kAlice, kBank);
  v1::AppFrame companion;
  companion.mutable_hello()->set_companion(true);
  v1::AppFrame subscribe;
  subscribe.mutable_subscribe()->set_instance("page");
  subscribe.mutable_subscribe()->set_owner("firefox");
  std::string endpoint;
  for (const auto& frame : Talk(kAlice, Bytes(companion) + Bytes(subscribe), 2)) {
    if (frame.has_subscribed()) endpoint = frame.subscribed().endpoint();
  }
  ASSERT_NE(endpoint, "");
  Push(1, kBank);
  ASSERT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->unacked() == 0; }));

  v1::AppFrame ack;
  for (uint64_t id = 1; id < 100; ++id) ack.mutable_ack()->add_delivery_ids(id);
  v1::AppFrame unregister;
  unregister.mutable_unregister();
  v1::AppFrame topic;
  topic.mutable_change_topic()->set_topic("news");
  topic.mutable_change_topic()->set_subscribed(true);
  v1::AppFrame status;
  status.mutable_status_request();
  v1::AppFrame unsubscribe;
  unsubscribe.mutable_unsubscribe()->set_instance("page");
  v1::AppFrame ack_of_page = ack;
  ack_of_page.mutable_ack()->set_instance("page");
  v1::AppFrame activity;
  activity.mutable_set_activity()->set_activity(v1::IDLE);
  v1::AppFrame network;
  network.mutable_set_network()->set_kind(v1::SetNetwork::WIFI);
  network.mutable_set_network()->set_name("home");

  Frames seen = Talk(kMallory, HelloAndRegister(kBank) + Bytes(ack) + Bytes(status) + Bytes(topic) +
                                   Bytes(unregister) + Bytes(topic));
  for (const std::string& said :
       {Bytes(companion) + Bytes(subscribe) + Bytes(ack_of_page) + Bytes(unsubscribe),
        Bytes(activity), Bytes(network), Bytes(ack), Bytes(unregister), Bytes(topic),
        Bytes(subscribe), Bytes(unsubscribe)}) {
    for (const v1::AgentFrame& frame : Talk(kMallory, said)) seen.push_back(frame);
  }
  for (const v1::AgentFrame& frame : seen) {
    EXPECT_FALSE(frame.has_delivery() || frame.has_gap());
    EXPECT_FALSE(frame.has_activity_set() || frame.has_network_set());
    EXPECT_NE(frame.registered().token(), token);
    EXPECT_NE(frame.subscribed().endpoint(), endpoint);
    EXPECT_EQ(frame.status().device_id(), "") << "tokens are made to hide it";
    for (const auto& app : frame.status().apps()) EXPECT_EQ(app.uid(), kMallory);
  }
  server_.Do([](FakeConnector* c) { EXPECT_TRUE(c->activities.empty()); });

  EXPECT_EQ(TokenFor(kAlice, kBank), token);
  EXPECT_EQ(Payloads(Talk(kAlice, HelloAndRegister(kBank), 3)), Strings{"message 1"});
  for (const auto& frame : Talk(kAlice, Bytes(companion) + Bytes(subscribe), 2)) {
    if (frame.has_subscribed()) {
      EXPECT_EQ(frame.subscribed().endpoint(), endpoint);
    }
  }
  // Who may see all sees whose each is.
  const auto all = FetchAgentStatus(options_.socket_path, absl::Seconds(30));
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->apps_size(), 1);
  EXPECT_EQ(all->apps(0).app_id(), kBank);
  EXPECT_EQ(all->apps(0).uid(), kAlice);
  EXPECT_NE(all->device_id(), "");
}

TEST_F(OtherUsersTest, AnAppIdThatThePolicyPinsToAUserIsNobodyElses) {
  WritePolicy(absl::StrCat(kBank, " uid=", kAlice, "\n"));
  StartAgent();
  for (const uid_t uid : {kMallory, uid_t{0}}) {
    const Frames frames = Talk(uid, HelloAndRegister(kBank));
    ASSERT_EQ(frames.size(), 1u) << uid;
    EXPECT_EQ(frames[0].error().code(), v1::Error::PERMISSION_DENIED);
  }
  EXPECT_NE(TokenFor(kAlice, kBank), "");
  EXPECT_NE(TokenFor(kMallory, "com.example.mail"), "") << "nobody pinned that one";
}

TEST_F(OtherUsersTest, AnAppIdThatThePolicyPinsToAProgramIsNoOthers) {
  const std::string this_program = std::filesystem::read_symlink("/proc/self/exe");
  WritePolicy(absl::StrCat(
      kBank, " executable=/usr/bin/bank\ncom.example.test executable=", this_program, "\n"));
  StartAgent();
  EXPECT_EQ(TokenFor(kMallory, kBank), "");
  EXPECT_NE(TokenFor(kMallory, "com.example.test"), "");
}

TEST_F(OtherUsersTest, AChangedPolicyHoldsForConnectionsThatAreOpen) {
  WritePolicy(absl::StrCat(kBank, " uid=0\n"));
  StartAgent();
  const int fd = Connect(options_.socket_path);
  ASSERT_GE(fd, 0);
  const std::string hello = HelloAndRegister(kBank);
  ASSERT_EQ(send(fd, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
  const auto is_connected = [this] {
    const auto status = FetchAgentStatus(options_.socket_path, absl::Seconds(30));
    return status.ok() && status->apps_size() == 1 && status->apps(0).connected();
  };
  ASSERT_TRUE(server_.WaitUntil([&](FakeConnector*) { return is_connected(); }));
  // One that is no good changes nothing.
  WritePolicy("");
  agent_->Reload();
  EXPECT_EQ(TokenFor(kAlice, kBank), "");
  EXPECT_TRUE(is_connected());
  WritePolicy(absl::StrCat(kBank, " uid=", kAlice, "\n"));
  agent_->Reload();
  EXPECT_TRUE(server_.WaitUntil([&](FakeConnector*) { return !is_connected(); }));
  EXPECT_NE(TokenFor(kAlice, kBank), "");
  close(fd);
}

TEST_F(OtherUsersTest, AnAgentWithoutItsPolicyDoesNotStart) {
  options_.policy_path = dir_.path("policy");
  EXPECT_TRUE(absl::IsNotFound(Agent::Start(options_).status()));
  for (const char* text : {"", "com.bank.app\n", "bank uid=1\n"}) {
    WritePolicy(text);
    const absl::Status status = Agent::Start(options_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.message().find(options_.policy_path), std::string::npos) << status;
  }
  WritePolicy("com.bank.app uid=1\n");
  ASSERT_EQ(chmod(options_.policy_path.c_str(), 0666), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(Agent::Start(options_).status()));
}

}  // namespace
}  // namespace bellwire::agent
