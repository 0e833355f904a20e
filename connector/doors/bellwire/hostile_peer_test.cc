// Whatever bytes come to the device port, they end their own connection and nobody else's.

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "connector/testing/server_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::GoAway;

class HostilePeerTest : public ServerHarness {
 protected:
  HostilePeerTest() : server_(StartServer({.login_timeout = absl::Milliseconds(400)})) {
    bystander_ = TestAgent::ConnectTls(server_->device_address());
    EXPECT_TRUE(bystander_->Login(*key_, 1)->has_welcome());
  }
  ~HostilePeerTest() override {
    // The bystander never noticed.
    EXPECT_TRUE(Push(key_->device_id(), "unmoved"));
    const auto frame = bystander_->Receive();
    EXPECT_TRUE(frame.has_value() && frame->push().payload() == "unmoved");
  }

  std::unique_ptr<TestAgent> Tls() { return TestAgent::ConnectTls(server_->device_address()); }
  std::unique_ptr<TestAgent> Tcp() { return TestAgent::ConnectTcp(server_->device_address()); }
  // What the connector says last before it closes.
  static GoAway LastWords(TestAgent* agent) {
    GoAway last;
    while (const auto frame = agent->Receive()) {
      if (frame->has_go_away()) last = frame->go_away();
    }
    return last;
  }
  static std::string RandomBytes(uint64_t seed, size_t size) {
    std::mt19937_64 random(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
  }

  ConnectorServer* const server_;
  std::unique_ptr<TestAgent> bystander_;
};

TEST_F(HostilePeerTest, RandomBytesInsteadOfTls) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto peer = Tcp();
    peer->WriteRaw(RandomBytes(seed, 700));
    EXPECT_TRUE(peer->WaitRawClosed());
  }
}

TEST_F(HostilePeerTest, PlainHttp) {
  const auto peer = Tcp();
  peer->WriteRaw("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
  EXPECT_TRUE(peer->WaitRawClosed());
}

TEST_F(HostilePeerTest, WrongOrNoAlpn) {
  EXPECT_EQ(TestAgent::ConnectTls(server_->device_address(), {.alpn = "h2"}), nullptr);
  EXPECT_EQ(TestAgent::ConnectTls(server_->device_address(), {.alpn = ""}), nullptr);
}

TEST_F(HostilePeerTest, HalfOpenForEver) {
  const auto silent_tcp = Tcp();
  const auto half_hello = Tcp();
  // The header of a TLS record that never comes.
  half_hello->WriteRaw(absl::string_view("\x16\x03\x01\x02\x00\x01", 6));
  const auto silent_tls = Tls();
  const auto half_frame = Tls();
  half_frame->Write("\x7f\x0a");
  EXPECT_TRUE(silent_tcp->WaitRawClosed());
  EXPECT_TRUE(half_hello->WaitRawClosed());
  EXPECT_EQ(LastWords(silent_tls.get()).reason(), GoAway::LOGIN_TIMEOUT);
  EXPECT_EQ(LastWords(half_frame.get()).reason(), GoAway::LOGIN_TIMEOUT);
}

TEST_F(HostilePeerTest, RandomBytesInsideTls) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto peer = Tls();
    peer->Write(RandomBytes(seed, 5000));
    EXPECT_TRUE(peer->WaitClosed());
  }
}

TEST_F(HostilePeerTest, OversizedFrameBeforeLogin) {
  const auto peer = Tls();
  // 8,193 bytes are announced.
  peer->Write("\x81\x40");
  EXPECT_EQ(LastWords(peer.get()).reason(), GoAway::PROTOCOL_ERROR);
}

TEST_F(HostilePeerTest, OversizedFrameAfterLogin) {
  const auto key = *DeviceKey::Generate();
  const auto peer = Tls();
  ASSERT_TRUE(peer->Login(*key, 1)->has_welcome());
  // 16,385 bytes are announced.
  peer->Write("\x81\x80\x01");
  EXPECT_EQ(LastWords(peer.get()).reason(), GoAway::PROTOCOL_ERROR);
}

TEST_F(HostilePeerTest, AnythingButLoginFirst) {
  const auto heartbeat = Tls();
  heartbeat->SendHeartbeat();
  EXPECT_EQ(LastWords(heartbeat.get()).reason(), GoAway::PROTOCOL_ERROR);
  const auto ack = Tls();
  device::v1::AgentFrame frame;
  frame.mutable_ack()->set_up_to_seq(1);
  ack->Send(frame);
  EXPECT_EQ(LastWords(ack.get()).reason(), GoAway::PROTOCOL_ERROR);
}

TEST_F(HostilePeerTest, AForgedSignature) {
  const auto peer = Tls();
  device::v1::AgentFrame login = peer->LoginFrame(**DeviceKey::Generate(), 1);
  login.mutable_login()->set_public_key(key_->public_key_der());
  peer->Send(login);
  EXPECT_EQ(LastWords(peer.get()).reason(), GoAway::LOGIN_REFUSED);
}

TEST_F(HostilePeerTest, TruncatedByACut) {
  const auto key = *DeviceKey::Generate();
  auto peer = Tls();
  ASSERT_TRUE(peer->Login(*key, 1)->has_welcome());
  peer->Write("\x05\x12");
  peer.reset();
  EXPECT_TRUE(
      registry_.WaitUntil([&] { return !registry_.RouteOf(key->device_id()).has_value(); }));
}

TEST_F(HostilePeerTest, APeerThatNeverReads) {
  const auto key = *DeviceKey::Generate();
  const auto peer = Tls();
  ASSERT_TRUE(peer->Login(*key, 1)->has_welcome());
  // Each request is answered; nobody reads the answers. The peer's own writes come to a halt, or
  // its connection ends: both within what one session may cost.
  device::v1::AgentFrame frame;
  frame.mutable_register_app()->set_app_id("com.example." + std::string(100, 'a'));
  while (registry_.RouteOf(key->device_id()).has_value()) {
    for (int i = 0; i < 1000; ++i) peer->Send(frame);
  }
}

}  // namespace
}  // namespace bellwire::connector
