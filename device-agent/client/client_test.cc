// The client library, in C++ and in C, against a real agent.

#include "device-agent/client/client.h"

#include <poll.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "crypto/encryption/app_keys.h"
#include "crypto/encryption/encrypted_token.h"
#include "device-agent/client/bellwire.h"
#include "device-agent/client/c_app.h"
#include "device-agent/core/agent.h"
#include "device-agent/testing/tls_test_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

constexpr char kMail[] = "com.example.mail";

class ClientTest : public testing::Test {
 protected:
  ClientTest() { std::ofstream(dir_.path("ca.pem")) << server_.ca_pem(); }
  ~ClientTest() override { StopAgent(); }

  void StartAgent() {
    AgentOptions options;
    options.servers = {server_.address()};
    options.ca_path = dir_.path("ca.pem");
    options.state_dir = dir_.path("state");
    options.socket_path = socket_;
    auto agent = Agent::Start(options);
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
  void Push(uint64_t seq) {
    server_.Do([&](FakeConnector* c) { c->Push(seq, c->RegistrationIdOf(kMail)); });
  }

  std::unique_ptr<Client> MakeClient(ClientCallbacks callbacks) {
    auto client = Client::Create({.socket_path = socket_, .app_id = kMail}, std::move(callbacks));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
  // Dispatches until `done`.
  static bool DispatchUntil(Client* client, const std::function<bool()>& done) {
    for (int i = 0; i < 10'000 && !done(); ++i) {
      if (!client->Dispatch(absl::Minutes(1)).ok()) break;
    }
    return done();
  }

  TempDir dir_;
  const std::string socket_ = dir_.path("agent.sock");
  TlsTestServer server_;
  std::unique_ptr<Agent> agent_;
  std::thread thread_;
};

TEST_F(ClientTest, ChecksItsOptions) {
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.app_id = "mail"}, {}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Client::Create({.socket_path = std::string(200, 'x'), .app_id = kMail}, {}).status()));
  EXPECT_EQ(bellwire_connect(nullptr, "mail"), nullptr);
  EXPECT_EQ(bellwire_connect(nullptr, nullptr), nullptr);
}

TEST_F(ClientTest, WaitsForAnAgentThatIsNotThereYet) {
  std::string token;
  int connections = 0;
  ClientCallbacks callbacks;
  callbacks.on_token = [&](const std::string& t) { token = t; };
  callbacks.on_connection = [&](bool connected) { connections += connected ? 1 : 0; };
  auto client = MakeClient(callbacks);
  client->Register();
  EXPECT_TRUE(client->Dispatch(absl::ZeroDuration()).ok());
  EXPECT_FALSE(client->connected());
  StartAgent();
  EXPECT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  EXPECT_TRUE(client->connected());
  StopAgent();
  EXPECT_TRUE(DispatchUntil(client.get(), [&] { return !client->connected(); }));
  StartAgent();
  EXPECT_TRUE(DispatchUntil(client.get(), [&] { return client->connected(); }));
  EXPECT_EQ(connections, 2);
}

TEST_F(ClientTest, AGapThatCouldNotBeNotedComesAgain) {
  StartAgent();
  const auto hear = [this](bool note) {
    std::vector<uint32_t> gaps;
    std::string token;
    ClientCallbacks callbacks;
    std::unique_ptr<Client> client;
    callbacks.on_token = [&](const std::string& t) { token = t; };
    callbacks.on_gap = [&](uint32_t dropped) {
      gaps.push_back(dropped);
      if (!note) client->Stop();
    };
    client = MakeClient(callbacks);
    client->Register();
    EXPECT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
    server_.Do([](FakeConnector* c) {
      device::v1::ConnectorFrame frame;
      frame.mutable_gap()->set_registration_id(c->RegistrationIdOf(kMail));
      frame.mutable_gap()->set_dropped(3);
      frame.mutable_gap()->set_seq(1);
      c->Send(frame);
    });
    EXPECT_TRUE(DispatchUntil(client.get(), [&] { return !gaps.empty(); }));
    return gaps;
  };
  EXPECT_EQ(hear(/*note=*/false), std::vector<uint32_t>({3}));
  EXPECT_EQ(hear(/*note=*/true), std::vector<uint32_t>({3})) << "of the agent's inbox";
}

TEST_F(ClientTest, ItsDescriptorSaysWhenThereIsSomethingToDo) {
  StartAgent();
  std::vector<std::string> got;
  ClientCallbacks callbacks;
  std::string token;
  callbacks.on_token = [&](const std::string& t) { token = t; };
  callbacks.on_message = [&](const Message& m) {
    got.push_back(m.payload);
    return true;
  };
  auto client = MakeClient(callbacks);
  client->Register();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  pollfd ready{client->fd(), POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0);
  Push(1);
  ASSERT_EQ(poll(&ready, 1, 60'000), 1);
  EXPECT_TRUE(client->Dispatch(absl::ZeroDuration()).ok());
  EXPECT_EQ(got, std::vector<std::string>{"message 1"});
}

TEST_F(ClientTest, WhatIsNotTakenIsAcknowledgedLaterOrComesAgain) {
  StartAgent();
  std::vector<Message> got;
  ClientCallbacks callbacks;
  callbacks.on_message = [&](const Message& m) {
    got.push_back(m);
    return false;
  };
  auto client = MakeClient(callbacks);
  client->Register();
  Push(1);
  Push(2);
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return got.size() == 2; }));
  EXPECT_FALSE(got[0].redelivered);
  client->Ack({got[0].delivery_id});
  ASSERT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->app_acks.size() == 1; }));
  StopAgent();
  StartAgent();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return got.size() == 3; }));
  EXPECT_EQ(got[2].payload, "message 2");
  EXPECT_TRUE(got[2].redelivered);
  EXPECT_EQ(got[2].message_id, got[1].message_id);
}

TEST_F(ClientTest, UnregistersAndStops) {
  StartAgent();
  ClientCallbacks callbacks;
  std::string token;
  bool unregistered = false;
  callbacks.on_token = [&](const std::string& t) { token = t; };
  callbacks.on_unregistered = [&] { unregistered = true; };
  auto client = MakeClient(callbacks);
  client->Register();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  client->Unregister();
  EXPECT_TRUE(DispatchUntil(client.get(), [&] { return unregistered; }));
  client->Stop();
  EXPECT_TRUE(absl::IsCancelled(client->Dispatch(absl::InfiniteDuration())));
  EXPECT_TRUE(client->Run().ok());
}

TEST_F(ClientTest, AnAppInC) {
  StartAgent();
  server_.Do([](FakeConnector* c) {
    for (uint64_t seq = 1; seq <= 10; ++seq) c->Push(seq, c->RegistrationIdOf(kMail));
  });
  c_app_result result;
  ASSERT_EQ(c_app_run(socket_.c_str(), kMail, "news", 10, &result), 0);
  EXPECT_EQ(result.messages, 10u);
  EXPECT_STREQ(result.last_payload, "message 10");
  EXPECT_EQ(result.token, absl::StrCat("token-", kMail, "-1"));
  EXPECT_EQ(result.connected, 1);
  EXPECT_EQ(result.change_topic, 0);
  EXPECT_EQ(result.topic_outcome, BELLWIRE_TOPIC_OK);
  EXPECT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->app_acks.size() == 10; }));

  EXPECT_EQ(c_app_unregister(socket_.c_str(), kMail), 0);
  EXPECT_TRUE(server_.WaitUntil(
      [](FakeConnector* c) { return c->app_requests.back() == absl::StrCat("remove ", kMail); }));
}

TEST_F(ClientTest, TopicsAreChangedWhileThereIsAToken) {
  StartAgent();
  std::string token;
  std::vector<std::string> changes;
  ClientCallbacks callbacks;
  callbacks.on_token = [&](const std::string& t) { token = t; };
  callbacks.on_topic_changed = [&](const std::string& topic, bool subscribed,
                                   v1::TopicChanged::Outcome outcome) {
    changes.push_back(
        absl::StrCat(subscribed ? "+" : "-", topic, " ", v1::TopicChanged::Outcome_Name(outcome)));
  };
  auto client = MakeClient(callbacks);
  EXPECT_TRUE(absl::IsUnavailable(client->ChangeTopic("news", true)));
  client->Register();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  EXPECT_TRUE(client->ChangeTopic("news", true).ok());
  EXPECT_TRUE(client->ChangeTopic("n e w s", true).ok());
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return changes.size() == 2; }));
  EXPECT_THAT(changes, ::testing::UnorderedElementsAre("+news OK", "+n e w s BAD_TOPIC"));
  EXPECT_TRUE(server_.WaitUntil(
      [](FakeConnector* c) { return c->topic_changes == std::vector<std::string>{"+news"}; }));

  // What is not answered when the agent goes is not known to be done.
  server_.Do([](FakeConnector* c) { c->topic_outcome.reset(); });
  for (int i = 0; i < 64; ++i) EXPECT_TRUE(client->ChangeTopic("news", false).ok()) << i;
  EXPECT_TRUE(absl::IsResourceExhausted(client->ChangeTopic("news", false)));
  EXPECT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->topic_changes.size() == 2; }));
  StopAgent();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !client->connected(); }));
  EXPECT_EQ(changes.size(), 66u);
  EXPECT_EQ(changes.back(), "-news NOT_CONNECTED");
}

TEST_F(ClientTest, AnAppInCSeesWhatAnAlertOfApnsSays) {
  StartAgent();
  server_.Do([](FakeConnector* c) {
    c->Push(1, c->RegistrationIdOf(kMail));
    device::v1::Push push = TestPush(2, c->RegistrationIdOf(kMail), *RealClock());
    push.set_payload(R"({"aps":{"alert":{"title":"Mail","body":"Hello"},"badge":3}})");
    push.mutable_content()->set_door(device::v1::Content::APNS);
    c->Push(push);
  });
  c_app_result result;
  ASSERT_EQ(c_app_run(socket_.c_str(), kMail, nullptr, 2, &result), 0);
  EXPECT_EQ(result.last_door, BELLWIRE_DOOR_APNS);
  EXPECT_STREQ(result.last_title, "Mail");
  EXPECT_STREQ(result.last_body, "Hello");
  EXPECT_EQ(result.last_badge, 3);
}

// --- End-to-end encryption. ---

class EncryptionTest : public ClientTest {
 protected:
  const std::string key_file_ = dir_.path("app.keys");

  // The token of the fake server is no hex, and has dots: another stands in its place.
  static EncryptedToken Parsed(const std::string& encrypted_token) {
    const size_t keys = encrypted_token.rfind('.', encrypted_token.rfind('.') - 1);
    const auto token = ParseEncryptedToken("e1.00" + encrypted_token.substr(keys));
    EXPECT_TRUE(token.ok()) << token.status();
    return token.value_or(EncryptedToken());
  }
  // What a backend with this encrypted token sends.
  void PushEncrypted(uint64_t seq, const std::string& encrypted_token, const std::string& text) {
    const auto payload = EncryptPayload(Parsed(encrypted_token), text);
    ASSERT_TRUE(payload.ok()) << payload.status();
    PushPayload(seq, *payload);
  }
  void PushPayload(uint64_t seq, const std::string& payload) {
    server_.Do([&](FakeConnector* c) {
      device::v1::Push push = TestPush(seq, c->RegistrationIdOf(kMail), *RealClock());
      push.set_payload(payload);
      c->Push(push);
    });
  }
  std::unique_ptr<Client> MakeEncryptedClient(ClientCallbacks callbacks) {
    auto client = Client::Create({.socket_path = socket_, .app_id = kMail, .key_file = key_file_},
                                 std::move(callbacks));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
};

TEST_F(EncryptionTest, TheAppReadsWhatItsBackendEncrypts) {
  StartAgent();
  std::string token;
  std::vector<Message> got;
  std::vector<std::string> undecryptable;
  ClientCallbacks callbacks;
  callbacks.on_token = [&](const std::string& t) { token = t; };
  callbacks.on_message = [&](const Message& m) {
    got.push_back(m);
    return true;
  };
  callbacks.on_undecryptable = [&](const std::string& id) { undecryptable.push_back(id); };
  auto client = MakeEncryptedClient(callbacks);
  client->Register();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  EXPECT_THAT(token, testing::StartsWith(absl::StrCat("e1.token-", kMail, "-1.")));

  PushEncrypted(1, token, "for the app only");
  PushPayload(2, "in the clear");
  const auto other = AppKeys::Generate();
  PushEncrypted(3, FormatEncryptedToken({"00", (*other)->recipient()}), "for another");
  PushPayload(4, std::string(kEncryptedPayloadMark) + "no body");
  PushEncrypted(5, token, "");
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return got.size() == 3; }));
  EXPECT_EQ(got[0].payload, "for the app only");
  EXPECT_TRUE(got[0].encrypted);
  EXPECT_EQ(got[1].payload, "in the clear");
  EXPECT_FALSE(got[1].encrypted);
  EXPECT_EQ(got[2].payload, "");
  EXPECT_TRUE(got[2].encrypted);
  EXPECT_EQ(undecryptable.size(), 2u);
  EXPECT_NE(undecryptable[0], undecryptable[1]);
  EXPECT_TRUE(server_.WaitUntil([](FakeConnector* c) { return c->app_acks.size() == 5; }))
      << "also those that nobody can read, or they would come for ever";

  // The keys outlive the process.
  const std::string first_token = std::exchange(token, "");
  client = MakeEncryptedClient(callbacks);
  client->Register();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  EXPECT_EQ(token, first_token);
  PushEncrypted(6, first_token, "after a restart");
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return got.size() == 4; }));
  EXPECT_EQ(got[3].payload, "after a restart");
}

TEST_F(EncryptionTest, TheKeysEndWithTheRegistration) {
  StartAgent();
  std::string token;
  bool unregistered = false;
  ClientCallbacks callbacks;
  callbacks.on_token = [&](const std::string& t) { token = t; };
  callbacks.on_unregistered = [&] { unregistered = true; };
  auto client = MakeEncryptedClient(callbacks);
  client->Register();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  const std::string before = std::exchange(token, "");
  client->Unregister();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return unregistered; }));
  client->Register();
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return !token.empty(); }));
  EXPECT_FALSE(Parsed(token).recipient == Parsed(before).recipient);
  const auto keys = AppKeys::LoadOrCreate(key_file_);
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(Parsed(token).recipient, (*keys)->recipient());
}

TEST_F(EncryptionTest, WithoutAKeyFileAPayloadIsGivenOutAsItCame) {
  StartAgent();
  std::vector<Message> got;
  ClientCallbacks callbacks;
  callbacks.on_message = [&](const Message& m) {
    got.push_back(m);
    return true;
  };
  auto client = MakeClient(callbacks);
  client->Register();
  const std::string payload = std::string(kEncryptedPayloadMark) + "no body";
  PushPayload(1, payload);
  ASSERT_TRUE(DispatchUntil(client.get(), [&] { return got.size() == 1; }));
  EXPECT_EQ(got[0].payload, payload);
  EXPECT_FALSE(got[0].encrypted);
}

TEST_F(EncryptionTest, ABadKeyFileIsSaidAtOnce) {
  std::ofstream(key_file_) << "x";
  std::filesystem::permissions(key_file_, std::filesystem::perms(0600));
  const auto client =
      Client::Create({.socket_path = socket_, .app_id = kMail, .key_file = key_file_}, {});
  EXPECT_EQ(ErrorReason(client.status()), "BAD_APP_KEYS");
  EXPECT_EQ(bellwire_connect_encrypted(socket_.c_str(), kMail, key_file_.c_str()), nullptr);
  EXPECT_EQ(bellwire_connect_encrypted(socket_.c_str(), kMail, nullptr), nullptr);
}

TEST_F(EncryptionTest, AnAppInC) {
  StartAgent();
  c_app_result result;
  ASSERT_EQ(c_app_run_encrypted(socket_.c_str(), kMail, key_file_.c_str(), 0, &result), 0);
  const auto keys = AppKeys::LoadOrCreate(key_file_);
  ASSERT_TRUE(keys.ok()) << keys.status();
  const std::string encrypted_token = FormatEncryptedToken({"00", (*keys)->recipient()});
  PushPayload(1, std::string(kEncryptedPayloadMark) + "no body");
  PushEncrypted(2, encrypted_token, "for the app only");
  ASSERT_EQ(c_app_run_encrypted(socket_.c_str(), kMail, key_file_.c_str(), 2, &result), 0);
  EXPECT_EQ(result.undecryptable, 1u);
  EXPECT_STREQ(result.last_payload, "for the app only");
  EXPECT_NE(result.last_encrypted, 0);
  EXPECT_EQ(Parsed(result.token).recipient, (*keys)->recipient());
}

TEST_F(ClientTest, TheEndOfAClientInC) {
  StartAgent();
  bellwire_client* first = bellwire_connect(socket_.c_str(), kMail);
  bellwire_client* second = nullptr;
  bellwire_register(first);
  bool refused = false;
  bellwire_event event;
  int result;
  while ((result = bellwire_next(first, 60'000, &event)) > 0) {
    if (event.type == BELLWIRE_TOKEN) {
      second = bellwire_connect(socket_.c_str(), kMail);
      EXPECT_EQ(bellwire_next(second, 60'000, &event), 1);
      EXPECT_EQ(event.type, BELLWIRE_CONNECTED);
    } else if (event.type == BELLWIRE_ERROR) {
      EXPECT_EQ(event.error_code, BELLWIRE_ERROR_SESSION_REPLACED);
      EXPECT_NE(event.error_message, nullptr);
      refused = true;
    }
  }
  EXPECT_EQ(result, -1);
  EXPECT_TRUE(refused);
  EXPECT_EQ(bellwire_next(second, 0, &event), 0) << "the time is over at once";
  EXPECT_EQ(event.type, BELLWIRE_NONE);
  bellwire_close(first);
  bellwire_close(second);
}

}  // namespace
}  // namespace bellwire::agent
