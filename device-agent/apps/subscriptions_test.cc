// Companions of a real agent on a real socket: two users, many subscriptions, one that does not
// read.

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/limits.h"
#include "device-agent/client/client.h"
#include "device-agent/testing/agent_on_socket.h"
#include "device-agent/testing/companion_app.h"
#include "device-agent/testing/pushes.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {
namespace {

using Strings = std::vector<std::string>;

std::string Hello() {
  v1::AppFrame frame;
  frame.mutable_hello()->set_companion(true);
  return Bytes(frame);
}

std::string Subscribe(const std::string& instance) {
  v1::AppFrame frame;
  frame.mutable_subscribe()->set_instance(instance);
  frame.mutable_subscribe()->set_owner("org.example.App");
  return Bytes(frame);
}

class SubscriptionsTest : public AgentOnSocket {
 protected:
  // A push to the n-th subscription that the server was asked for.
  void PushTo(size_t n, uint64_t seq, size_t payload_bytes = 0) {
    server_.Do([&](FakeConnector* c) {
      const std::string id = FakeConnector::SubscriptionId(c->subscriptions.at(n).instance());
      device::v1::Push push = TestPush(seq, c->RegistrationIdOf(id), *RealClock());
      if (payload_bytes > 0) push.mutable_payload()->resize(payload_bytes, '.');
      c->Push(push);
    });
  }
};

TEST_F(SubscriptionsTest, AnotherUserHasSubscriptionsOfItsOwn) {
  StartAgent();
  CompanionApp mine(options_.socket_path);
  mine.Subscribe("mail");
  const std::string endpoint = mine.Endpoint("mail");
  ASSERT_NE(endpoint, "");
  v1::AppFrame ack;
  ack.mutable_ack()->set_instance("mail");
  ack.mutable_ack()->add_delivery_ids(1);
  v1::AppFrame unsubscribe;
  unsubscribe.mutable_unsubscribe()->set_instance("mail");
  v1::AppFrame status;
  status.mutable_status_request();
  const auto theirs = TalkAs(
      kStranger, Hello() + Bytes(status) + Subscribe("mail") + Bytes(ack) + Bytes(unsubscribe));
  if (!theirs.has_value()) GTEST_SKIP() << "needs the right to become another user (root)";
  bool unsubscribed = false;
  for (const v1::AgentFrame& frame : *theirs) {
    EXPECT_FALSE(frame.has_error()) << frame.error().message();
    EXPECT_FALSE(frame.has_delivery());
    EXPECT_NE(frame.subscribed().endpoint(), endpoint);
    EXPECT_EQ(frame.status().subscriptions_size(), 0);
    EXPECT_EQ(frame.status().device_id(), "");
    unsubscribed = unsubscribed || frame.has_unsubscribed();
  }
  EXPECT_TRUE(unsubscribed);
  PushTo(0, 1);
  EXPECT_EQ(mine.Messages("mail", 1), Strings{"message 1"});
  EXPECT_EQ(mine.Errors(0), Strings{}) << "the stranger's companion replaced nobody";
}

TEST_F(SubscriptionsTest, ASecondCompanionReplacesTheFirst) {
  StartAgent();
  CompanionApp first(options_.socket_path);
  first.Subscribe("mail");
  ASSERT_NE(first.Endpoint("mail"), "");
  CompanionApp second(options_.socket_path);
  EXPECT_EQ(first.Errors(1), Strings{": SESSION_REPLACED"});
  second.Subscribe("mail");
  EXPECT_EQ(second.Endpoint("mail"), first.Endpoint("mail"));
  PushTo(0, 1);
  EXPECT_EQ(second.Messages("mail", 1), Strings{"message 1"});
  EXPECT_EQ(first.Messages("mail", 0), Strings{});
}

TEST_F(SubscriptionsTest, HundredsOfThemOverOneConnection) {
  constexpr int kAll = 300;
  constexpr int kRounds = 3;
  StartAgent();
  CompanionApp companion(options_.socket_path);
  // Each has the place in the server's list that its name says.
  for (int i = 0; i < kAll; ++i) {
    companion.Subscribe(absl::StrCat(i), absl::StrCat("owner ", i));
    if (i == 0 || i % 32 == 31 || i == kAll - 1) {
      ASSERT_NE(companion.Endpoint(absl::StrCat(i)), "");
    }
  }
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kAll; ++i) PushTo(i, 1 + round * kAll + i);
  }
  for (int i = 0; i < kAll; ++i) {
    Strings expected;
    for (int round = 0; round < kRounds; ++round) {
      expected.push_back(absl::StrCat("message ", 1 + round * kAll + i));
    }
    EXPECT_EQ(companion.Messages(absl::StrCat(i), kRounds), expected);
  }
  server_.Do([](FakeConnector* c) { EXPECT_EQ(c->connections, 1); });
  auto status = FetchAgentStatus(options_.socket_path, absl::Seconds(30));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->subscriptions_size() + static_cast<int>(status->left_out()), kAll);
}

// A companion's socket holds most of one app's window, whoever is next. Of what does not fit in it,
// each has its turn: the one that has little does not wait for all that the others have.
TEST_F(SubscriptionsTest, NobodyStarvesWhileOthersHaveABacklog) {
  constexpr int kBusy = 8;
  constexpr size_t kAll = kBusy * kAppWindowMessages + 1;
  StartAgent();
  const int fd = Connect(options_.socket_path);
  ASSERT_GE(fd, 0);
  // Reads frames until `count` of them are what `wanted` says.
  net::FrameDecoder decoder(kMaxFrameBytes);
  const auto read_frames = [&](size_t count, auto wanted) {
    char buffer[4096];
    pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
    for (size_t found = 0; found < count;) {
      if (poll(&ready, 1, 60'000) != 1) return false;
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      if (n <= 0) return false;
      const absl::Status fed = decoder.Feed(
          absl::string_view(buffer, static_cast<size_t>(n)), [&](absl::string_view body) {
            v1::AgentFrame frame;
            if (frame.ParseFromString(std::string(body)) && wanted(frame)) ++found;
            return true;
          });
      if (!fed.ok()) return false;
    }
    return true;
  };
  std::string words = Hello();
  for (int i = 0; i < kBusy; ++i) words += Subscribe(absl::StrCat("many ", i));
  words += Subscribe("one");
  ASSERT_EQ(send(fd, words.data(), words.size(), MSG_NOSIGNAL), static_cast<ssize_t>(words.size()));
  ASSERT_TRUE(
      read_frames(kBusy + 1, [](const v1::AgentFrame& frame) { return frame.has_subscribed(); }));

  uint64_t seq = 0;
  for (int i = 0; i < kBusy; ++i) {
    for (size_t k = 0; k < kAppWindowMessages; ++k) PushTo(i, ++seq, kMaxPayloadBytes);
  }
  PushTo(kBusy, ++seq);
  ASSERT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->unacked() == 0; }));
  Strings order;
  EXPECT_TRUE(read_frames(kAll, [&order](const v1::AgentFrame& frame) {
    if (frame.has_delivery()) order.push_back(frame.delivery().instance());
    return frame.has_delivery();
  }));
  close(fd);
  const auto one = std::find(order.begin(), order.end(), "one");
  EXPECT_LT(one - order.begin(), static_cast<ptrdiff_t>(kAll / 2));
}

TEST_F(SubscriptionsTest, UnsubscribesAndSubscribesAnew) {
  StartAgent();
  CompanionApp companion(options_.socket_path);
  companion.Subscribe("mail");
  ASSERT_NE(companion.Endpoint("mail"), "");
  companion.Unsubscribe("mail");
  EXPECT_EQ(companion.Unsubscribed(1), Strings{"mail"});
  EXPECT_TRUE(server_.WaitUntil(
      [](FakeConnector* c) { return c->app_requests.back().substr(0, 6) == "remove"; }));
  companion.Subscribe("mail");
  ASSERT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->subscriptions.size() == 2; }));
  PushTo(1, 1);
  EXPECT_EQ(companion.Messages("mail", 1), Strings{"message 1"});
}

}  // namespace
}  // namespace bellwire::agent
