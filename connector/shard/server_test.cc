#include "connector/shard/server.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "connector/testing/server_harness.h"
#include "crypto/file_util.h"
#include "crypto/provider_key.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::ConnectorFrame;
using device::v1::GoAway;
using internal::v1::HandedOverRequest;

class ServerTest : public ServerHarness {
 protected:
  static void AckUpTo(TestAgent* agent, uint64_t seq) {
    device::v1::AgentFrame frame;
    frame.mutable_ack()->set_up_to_seq(seq);
    agent->Send(frame);
  }
  // An agent that is welcome.
  std::unique_ptr<TestAgent> LogIn(ConnectorServer* server, uint64_t login_number) {
    std::unique_ptr<TestAgent> agent = TestAgent::ConnectTls(server->device_address());
    EXPECT_NE(agent, nullptr);
    const auto welcome = agent->Login(*key_, login_number);
    EXPECT_TRUE(welcome.has_value() && welcome->has_welcome());
    return agent;
  }
};

TEST_F(ServerTest, OptionsThatCantBeHadAreNamed) {
  const auto reason = [this](ConnectorServer::Options options) {
    return ErrorReason(ConnectorServer::Start(Complete(std::move(options))).status());
  };
  EXPECT_EQ(reason({.shards = kMaxShards + 1}), "BAD_SHARDS");
  EXPECT_EQ(reason({.shards = -1}), "BAD_SHARDS");
  EXPECT_EQ(reason({.heartbeat_range = {.min = absl::Minutes(2), .max = absl::Minutes(1)}}),
            "BAD_HEARTBEAT_RANGE");
}

TEST_F(ServerTest, AFileOfTheWrongKindIsNamed) {
  const auto start = [this] { return ConnectorServer::Start(Complete({})).status(); };
  const std::string good_key = *ReadWholeFile(private_key_path_);
  const auto write = [](const std::string& path, const std::string& text, FileAccess access) {
    ASSERT_TRUE(ReplaceFileAtomically(path, text, access).ok());
  };
  const auto expect = [&](const std::string& reason, const std::string& path) {
    const absl::Status status = start();
    EXPECT_EQ(ErrorReason(status), reason) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), path)) << status;
  };
  write(private_key_path_, GenerateProviderKeyPair()->private_key_pem, FileAccess::kPrivate);
  expect("KEY_MISMATCH", private_key_path_);
  write(private_key_path_, "hello", FileAccess::kPrivate);
  expect("BAD_PRIVATE_KEY", private_key_path_);
  write(private_key_path_, good_key, FileAccess::kPrivate);
  write(certificate_path_, "hello", FileAccess::kPublic);
  expect("BAD_CERTIFICATE", certificate_path_);
}

TEST_F(ServerTest, LoginPushAckHeartbeat) {
  ConnectorServer* server = StartServer();
  // One that waits, …
  EXPECT_FALSE(Push(key_->device_id(), "first"));
  const auto agent = LogIn(server, 1);
  auto frame = agent->Receive();
  ASSERT_TRUE(frame.has_value() && frame->has_push());
  EXPECT_EQ(frame->push().payload(), "first");
  // … and one that comes.
  EXPECT_TRUE(Push(key_->device_id(), "second"));
  frame = agent->Receive();
  ASSERT_TRUE(frame.has_value() && frame->has_push());
  EXPECT_EQ(frame->push().payload(), "second");
  AckUpTo(agent.get(), frame->push().seq());
  EXPECT_TRUE(
      registry_.WaitUntil([this] { return registry_.MailboxSize(key_->device_id()) == 0; }));
  EXPECT_EQ(registry_.AckedSeqs(key_->device_id()), (std::vector<uint64_t>{1, 2}));
  agent->SendHeartbeat();
  frame = agent->Receive();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->body_case(), ConnectorFrame::BODY_NOT_SET);
}

TEST_F(ServerTest, NowOrNeverIsAnsweredByTheDevice) {
  ConnectorServer* server = StartServer();
  const auto agent = LogIn(server, 1);
  std::thread device([&agent] {
    const auto push = agent->Receive();
    device::v1::AgentFrame ack;
    ack.mutable_ack()->add_ranges()->set_first(push->push().seq());
    ack.mutable_ack()->mutable_ranges(0)->set_last(push->push().seq());
    agent->Send(ack);
  });
  EXPECT_TRUE(Push(key_->device_id(), "now", /*now_or_never=*/true));
  device.join();
  EXPECT_TRUE(registry_.WaitUntil([this] {
    return registry_.OutcomeOf(key_->device_id(), 1) == HandedOverRequest::DEVICE_ACKED;
  }));
}

TEST_F(ServerTest, RegistersAnApp) {
  ConnectorServer* server = StartServer();
  const auto agent = LogIn(server, 1);
  device::v1::AgentFrame request;
  request.mutable_register_app()->set_request_id(9);
  request.mutable_register_app()->set_app_id("com.example.mail");
  agent->Send(request);
  const auto frame = agent->Receive();
  ASSERT_TRUE(frame.has_value() && frame->has_app_registered());
  EXPECT_EQ(frame->app_registered().token(), "token of com.example.mail");
}

TEST_F(ServerTest, TheNewerLoginReplacesTheOlder) {
  ConnectorServer* server = StartServer();
  const auto older = LogIn(server, 1);
  const auto newer = LogIn(server, 2);
  const auto frame = older->Receive();
  ASSERT_TRUE(frame.has_value() && frame->has_go_away());
  EXPECT_EQ(frame->go_away().reason(), GoAway::REPLACED);
  EXPECT_EQ(frame->go_away().winning_login_number(), 2u);
  EXPECT_TRUE(older->WaitClosed());
  EXPECT_TRUE(Push(key_->device_id(), "for the newer"));
  EXPECT_EQ(newer->Receive()->push().payload(), "for the newer");
}

TEST_F(ServerTest, TheNewerLoginReplacesTheOlderOnAnotherConnector) {
  ConnectorServer* here = StartServer();
  ConnectorServer* there = StartServer();
  const auto older = LogIn(here, 1);
  const auto newer = LogIn(there, 2);
  const auto frame = older->Receive();
  ASSERT_TRUE(frame.has_value() && frame->has_go_away());
  EXPECT_EQ(frame->go_away().reason(), GoAway::REPLACED);
  EXPECT_TRUE(Push(key_->device_id(), "there"));
  EXPECT_EQ(newer->Receive()->push().payload(), "there");
}

TEST_F(ServerTest, AnOlderSessionThatTheRegistryForgotIsFoundInTheTable) {
  ConnectorServer* server = StartServer();
  const auto oldest = LogIn(server, 1);
  // The device went elsewhere, and word of it was lost on the way.
  internal::v1::Route elsewhere;
  elsewhere.set_connector_address("gone");
  elsewhere.set_login_number(2);
  registry_.SetRoute(key_->device_id(), elsewhere);
  const auto newest = LogIn(server, 3);
  EXPECT_EQ(oldest->Receive()->go_away().reason(), GoAway::REPLACED);
}

TEST_F(ServerTest, AnOlderLoginThatComesLateIsTurnedAway) {
  ConnectorServer* server = StartServer();
  const auto newer = LogIn(server, 5);
  const auto older = TestAgent::ConnectTls(server->device_address());
  const auto frame = older->Login(*key_, 4);
  ASSERT_TRUE(frame.has_value() && frame->has_go_away());
  EXPECT_EQ(frame->go_away().reason(), GoAway::REPLACED);
  EXPECT_EQ(frame->go_away().winning_login_number(), 5u);
  EXPECT_TRUE(Push(key_->device_id(), "still here"));
  EXPECT_EQ(newer->Receive()->push().payload(), "still here");
}

TEST_F(ServerTest, ADeviceThatLeavesIsUnbound) {
  ConnectorServer* server = StartServer();
  auto agent = LogIn(server, 1);
  EXPECT_TRUE(registry_.RouteOf(key_->device_id()).has_value());
  agent.reset();
  EXPECT_TRUE(
      registry_.WaitUntil([this] { return !registry_.RouteOf(key_->device_id()).has_value(); }));
}

TEST_F(ServerTest, ATicketStandsForTheSignature) {
  ConnectorServer* server = StartServer();
  auto first = LogIn(server, 1);
  // The ticket comes before the answer to this.
  first->SendHeartbeat();
  ASSERT_TRUE(first->Receive().has_value());
  SSL_SESSION* ticket = first->TakeTicket();
  first.reset();

  const auto second = TestAgent::ConnectTls(server->device_address(), {.ticket = ticket});
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(second->resumed());
  device::v1::AgentFrame login = second->LoginFrame(*key_, 2);
  login.mutable_login()->clear_signature();
  second->Send(login);
  const auto welcome = second->Receive();
  EXPECT_TRUE(welcome.has_value() && welcome->has_welcome());

  // It is of no use to another device.
  const auto thief = TestAgent::ConnectTls(server->device_address(), {.ticket = ticket});
  ASSERT_NE(thief, nullptr);
  device::v1::AgentFrame stolen = thief->LoginFrame(**DeviceKey::Generate(), 1);
  stolen.mutable_login()->clear_signature();
  thief->Send(stolen);
  const auto refusal = thief->Receive();
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->go_away().reason(), GoAway::LOGIN_REFUSED);
  SSL_SESSION_free(ticket);
}

TEST_F(ServerTest, ATicketIsGoodAtEveryConnectorWithTheSameSecret) {
  const std::string path = testing::TempDir() + "/tickets", other = path + ".other";
  ASSERT_TRUE(ReplaceFileAtomically(path, std::string(64, '1'), FileAccess::kPrivate).ok());
  ASSERT_TRUE(ReplaceFileAtomically(other, std::string(64, '2'), FileAccess::kPrivate).ok());
  ConnectorServer* doomed = StartServer({.ticket_key_path = path});
  ConnectorServer* sister = StartServer({.ticket_key_path = path});
  ConnectorServer* stranger = StartServer({.ticket_key_path = other});
  auto first = LogIn(doomed, 1);
  first->SendHeartbeat();
  ASSERT_TRUE(first->Receive().has_value());
  SSL_SESSION* ticket = first->TakeTicket();
  StopServer(doomed);

  const auto second = TestAgent::ConnectTls(sister->device_address(), {.ticket = ticket});
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(second->resumed());
  device::v1::AgentFrame login = second->LoginFrame(*key_, 2);
  login.mutable_login()->clear_signature();
  second->Send(login);
  const auto welcome = second->Receive();
  EXPECT_TRUE(welcome.has_value() && welcome->has_welcome());

  const auto third = TestAgent::ConnectTls(stranger->device_address(), {.ticket = ticket});
  ASSERT_NE(third, nullptr);
  EXPECT_FALSE(third->resumed());
  SSL_SESSION_free(ticket);
}

TEST_F(ServerTest, ABadTicketKeyFileIsNamed) {
  const std::string path = testing::TempDir() + "/tickets.bad";
  ASSERT_TRUE(ReplaceFileAtomically(path, "secret", FileAccess::kPrivate).ok());
  const absl::Status status = ConnectorServer::Start(Complete({.ticket_key_path = path})).status();
  EXPECT_EQ(ErrorReason(status), "BAD_TICKET_KEY_FILE");
  EXPECT_TRUE(absl::StrContains(status.message(), path)) << status;
}

// Somebody opens sockets and says nothing, more of them than there are descriptors, and goes on.
TEST_F(ServerTest, SilentSocketsLockNobodyOut) {
  ConnectorServer* server = StartServer({.shards = 1, .max_descriptors = 300});
  std::deque<std::unique_ptr<TestAgent>> silent;
  const auto open = [&] {
    silent.push_back(TestAgent::ConnectTcp(server->device_address()));
    if (silent.size() > 500) silent.pop_front();
  };
  for (int i = 0; i < 1000; ++i) open();
  std::vector<std::unique_ptr<TestAgent>> honest;
  for (uint64_t login = 1; login <= 20; ++login) {
    for (int i = 0; i < 10; ++i) open();
    honest.push_back(LogIn(server, login));
  }
  // The process's own descriptors are not used up: far fewer than the sockets that came.
  EXPECT_TRUE(silent.front()->WaitRawClosed());
}

// Peers that finish TLS and never log in have their time, and nobody waits for it to pass.
TEST_F(ServerTest, PeersThatNeverLogInTakeNobodysTurn) {
  ConnectorServer* server = StartServer({.shards = 1, .login_timeout = absl::Minutes(5)});
  std::vector<std::unique_ptr<TestAgent>> idle;
  for (size_t i = 0; i < 2 * kMaxLoginsPerShard; ++i) {
    idle.push_back(TestAgent::ConnectTls(server->device_address()));
    ASSERT_NE(idle.back(), nullptr);
  }
  const auto agent = LogIn(server, 1);
  for (const auto& peer : idle) {
    EXPECT_FALSE(peer->IsClosed()) << "there was room for all";
  }
}

// The same, beyond all bounds: the oldest of them is told why it goes.
TEST_F(ServerTest, TheOldestWithoutALoginMakesRoomAndIsToldSo) {
  ConnectorServer* server =
      StartServer({.shards = 1, .login_timeout = absl::Minutes(5), .max_descriptors = 40});
  std::vector<std::unique_ptr<TestAgent>> idle;
  for (size_t i = 0; i < 40; ++i) {
    idle.push_back(TestAgent::ConnectTls(server->device_address()));
    ASSERT_NE(idle.back(), nullptr);
  }
  // Until the first is a second old, newcomers are turned away; they come back, as agents do.
  std::unique_ptr<TestAgent> agent;
  std::optional<ConnectorFrame> welcome;
  for (int attempt = 0; attempt < 10'000 && !welcome.has_value(); ++attempt) {
    agent = TestAgent::ConnectTls(server->device_address());
    if (agent != nullptr) welcome = agent->Login(*key_, 1);
  }
  ASSERT_TRUE(welcome.has_value() && welcome->has_welcome());
  const auto last_words = idle.front()->Receive();
  ASSERT_TRUE(last_words.has_value());
  EXPECT_EQ(last_words->go_away().reason(), GoAway::OVERLOADED);
  EXPECT_GT(last_words->go_away().retry_after_ms(), 0u);
  EXPECT_FALSE(idle.back()->IsClosed());
}

// 32 of them are more than any honest peer sends.
TEST_F(ServerTest, AKeyUpdateFloodEndsItsConnection) {
  ConnectorServer* server = StartServer({.login_timeout = absl::Minutes(5)});
  const auto flooding = TestAgent::ConnectTls(server->device_address());
  flooding->SendKeyUpdates(10 * kMaxTlsKeyUpdates);
  EXPECT_TRUE(flooding->WaitClosed());
  // In a session too.
  const auto agent = LogIn(server, 1);
  agent->SendKeyUpdates(10 * kMaxTlsKeyUpdates);
  EXPECT_TRUE(agent->WaitClosed());
}

TEST_F(ServerTest, ARecordedLoginIsWorthNothingOnAnotherConnection) {
  ConnectorServer* server = StartServer();
  const auto victim = TestAgent::ConnectTls(server->device_address());
  const auto attacker = TestAgent::ConnectTls(server->device_address());
  attacker->Send(victim->LoginFrame(*key_, 7));
  const auto frame = attacker->Receive();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->go_away().reason(), GoAway::LOGIN_REFUSED);
  EXPECT_TRUE(attacker->WaitClosed());
}

TEST_F(ServerTest, WithoutRegistryLoginsWaitAndSessionsStay) {
  ConnectorServer* server = StartServer();
  const auto bound = LogIn(server, 1);
  EXPECT_TRUE(Push(key_->device_id(), "m"));
  const uint64_t seq = bound->Receive()->push().seq();
  registry_.set_down(true);
  const size_t calls = registry_.calls();
  AckUpTo(bound.get(), seq);
  EXPECT_TRUE(registry_.WaitUntil([&] { return registry_.calls() > calls; }));

  const auto other_key = *DeviceKey::Generate();
  const auto late = TestAgent::ConnectTls(server->device_address());
  const auto frame = late->Login(*other_key, 1);
  ASSERT_TRUE(frame.has_value() && frame->has_go_away());
  EXPECT_EQ(frame->go_away().reason(), GoAway::OVERLOADED);
  EXPECT_GT(frame->go_away().retry_after_ms(), 0u);

  registry_.set_down(false);
  EXPECT_TRUE(
      registry_.WaitUntil([this] { return registry_.MailboxSize(key_->device_id()) == 0; }));
  bound->SendHeartbeat();
  EXPECT_TRUE(bound->Receive().has_value());
}

TEST_F(ServerTest, AMailboxLargerThanTheWindowComesInOrder) {
  ConnectorServer* server = StartServer();
  constexpr uint64_t kMessages = 300;
  const std::string payload(2000, 'x');
  for (uint64_t i = 0; i < kMessages; ++i) registry_.AddMessage(key_->device_id(), payload);
  const auto agent = LogIn(server, 1);
  for (uint64_t seq = 1; seq <= kMessages; ++seq) {
    const auto frame = agent->Receive();
    ASSERT_TRUE(frame.has_value() && frame->has_push());
    ASSERT_EQ(frame->push().seq(), seq);
    AckUpTo(agent.get(), seq);
  }
  EXPECT_TRUE(
      registry_.WaitUntil([this] { return registry_.MailboxSize(key_->device_id()) == 0; }));
}

TEST_F(ServerTest, ManyDevicesOverAllShards) {
  ConnectorServer* server = StartServer({.shards = 3});
  struct Device {
    std::unique_ptr<DeviceKey> key;
    std::unique_ptr<TestAgent> agent;
  };
  std::vector<Device> devices;
  for (int i = 0; i < 24; ++i) {
    Device& device = devices.emplace_back();
    device.key = *DeviceKey::Generate();
    device.agent = TestAgent::ConnectTls(server->device_address());
    ASSERT_TRUE(device.agent->Login(*device.key, 1)->has_welcome());
  }
  for (size_t i = 0; i < devices.size(); ++i) {
    EXPECT_TRUE(Push(devices[i].key->device_id(), absl::StrCat("to ", i)));
  }
  for (size_t i = 0; i < devices.size(); ++i) {
    EXPECT_EQ(devices[i].agent->Receive()->push().payload(), absl::StrCat("to ", i));
  }
}

TEST_F(ServerTest, AStaleRouteFindsNoSession) {
  ConnectorServer* server = StartServer();
  const auto agent = LogIn(server, 1);
  internal::v1::ConnectorRequest request;
  *request.mutable_route() = *registry_.RouteOf(key_->device_id());
  request.set_device_id(std::string(key_->device_id().bytes()));
  request.mutable_recall()->set_message_id(std::string(16, 'm'));
  EXPECT_TRUE(HandOver(request));
  EXPECT_TRUE(agent->Receive()->has_recall());

  internal::v1::ConnectorRequest of_another_life = request;
  of_another_life.mutable_route()->set_connector_incarnation(1);
  EXPECT_FALSE(HandOver(of_another_life));
  // Only its shard can tell that there is no such session; the registry hears of it.
  internal::v1::ConnectorRequest of_another_session = request;
  of_another_session.mutable_route()->set_session_id(request.route().session_id() + 256);
  of_another_session.mutable_deliver()->mutable_message()->set_seq(70);
  EXPECT_TRUE(HandOver(of_another_session));
  internal::v1::ConnectorRequest of_another_device = of_another_session;
  *of_another_device.mutable_route() = request.route();
  of_another_device.set_device_id(std::string(16, 'd'));
  EXPECT_TRUE(HandOver(of_another_device));
  EXPECT_TRUE(registry_.WaitUntil([this] {
    return registry_.OutcomeOf(key_->device_id(), 70) == HandedOverRequest::NO_SESSION &&
           registry_.OutcomeOf(*DeviceId::FromBytes(std::string(16, 'd')), 70) ==
               HandedOverRequest::NO_SESSION;
  }));
}

TEST_F(ServerTest, WhatGotLostWithAStreamIsFetchedByThoseWhoMissedIt) {
  ConnectorServer* server = StartServer();
  const auto agent = LogIn(server, 1);
  server->connector()->OnStreamBroken(/*devices=*/{});
  registry_.AddMessage(key_->device_id(), "handed over to nobody");
  server->connector()->OnStreamOpened(/*devices=*/{});
  const auto frame = agent->Receive();
  ASSERT_TRUE(frame.has_value() && frame->has_push());
  EXPECT_EQ(frame->push().payload(), "handed over to nobody");
  // And once.
  EXPECT_TRUE(Push(key_->device_id(), "the next"));
  EXPECT_EQ(agent->Receive()->push().payload(), "the next");
}

TEST_F(ServerTest, DrainSendsEverybodyAwayInGoodOrder) {
  ConnectorServer* server = StartServer();
  const auto agent = LogIn(server, 1);
  const auto half_open = TestAgent::ConnectTcp(server->device_address());
  EXPECT_TRUE(Push(key_->device_id(), "on its way"));
  EXPECT_TRUE(agent->Receive()->has_push());
  std::thread drain([server] { server->Drain(absl::Seconds(20)); });
  const auto frame = agent->Receive();
  ASSERT_TRUE(frame.has_value() && frame->has_go_away());
  EXPECT_EQ(frame->go_away().reason(), GoAway::DRAINING);
  EXPECT_GT(frame->go_away().retry_after_ms(), 0u);
  // It still counts.
  AckUpTo(agent.get(), 1);
  EXPECT_TRUE(agent->WaitClosed());
  EXPECT_TRUE(half_open->WaitRawClosed());
  drain.join();
  EXPECT_EQ(registry_.MailboxSize(key_->device_id()), 0u);
  EXPECT_FALSE(registry_.RouteOf(key_->device_id()).has_value());
  EXPECT_FALSE(Push(key_->device_id(), "later"));
}

TEST_F(ServerTest, DrainIsBoundedByItsTime) {
  ConnectorServer* server = StartServer();
  const auto agent = LogIn(server, 1);
  EXPECT_TRUE(Push(key_->device_id(), "never acknowledged"));
  const MonotonicTime start = RealClock()->Monotonic();
  server->Drain(absl::Milliseconds(200));
  EXPECT_LT(RealClock()->Monotonic() - start, absl::Seconds(2));
  StopServer(server);
  EXPECT_TRUE(agent->WaitClosed());
}

TEST_F(ServerTest, ConnectionsPerShardAreBounded) {
  ConnectorServer* server = StartServer({.shards = 1, .max_connections_per_shard = 2});
  auto first = LogIn(server, 1);
  const auto second = TestAgent::ConnectTls(server->device_address());
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(TestAgent::ConnectTls(server->device_address()), nullptr);
  // A place that comes free is taken again.
  first.reset();
  EXPECT_TRUE(
      registry_.WaitUntil([this] { return !registry_.RouteOf(key_->device_id()).has_value(); }));
  EXPECT_NE(TestAgent::ConnectTls(server->device_address()), nullptr);
}

TEST_F(ServerTest, SaysWhatIsWrongWithItsOptions) {
  ConnectorServer::Options options;
  options.device_listen = "127.0.0.1:0";
  options.certificate_path = "/nowhere.pem";
  options.private_key_path = "/nowhere.key";
  options.sessions = &registry_;
  options.networks = &registry_;
  options.topics = &registry_;
  EXPECT_EQ(ConnectorServer::Start(options).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bellwire::connector
