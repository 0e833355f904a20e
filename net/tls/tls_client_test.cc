#include "net/tls/tls_client.h"

#include <memory>
#include <string>
#include <utility>

#include "common/error.h"
#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/run_loop_until.h"
#include "net/simulated/test_peer.h"
#include "net/socket/close_reason.h"
#include "net/tls/tls_server.h"
#include "net/tls/tls_test_identity.h"

namespace bellwire::net {
namespace {

const TlsTestIdentity& Identity() {
  static const TlsTestIdentity* const identity =
      new TlsTestIdentity(TlsTestIdentity::Make({"localhost", "push.example.com"}, {"127.0.0.1"}));
  return *identity;
}

class TlsClientTest : public testing::Test {
 protected:
  void SetUp() override {
    auto listener = TlsServer::Listen(
        &loop_, Identity().ServerContext(), "127.0.0.1:0",
        [this](std::unique_ptr<Stream> stream) { server_.Take(std::move(stream)); });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    address_ = listener_->address();
    port_ = address_.substr(address_.rfind(':'));
  }

  static std::shared_ptr<TlsClientContext> Trust(const TlsClientContext::Options& options) {
    auto context = TlsClientContext::Create(options);
    EXPECT_TRUE(context.ok()) << context.status();
    return *std::move(context);
  }
  // What becomes of a connection: "open", or the reason why not.
  std::string Outcome(const TlsClientContext::Options& trust, absl::string_view address,
                      absl::string_view server_name = "",
                      absl::Duration timeout = absl::Seconds(20)) {
    TlsClient client(&loop_, Trust(trust));
    TestPeer peer;
    peer.Take(client.Connect(address, server_name, timeout));
    EXPECT_EQ(peer.closed, 0) << "callbacks come from the loop";
    EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return peer.open || peer.closed > 0; }));
    message_ = std::string(peer.status.message());
    return peer.open ? "open" : peer.reason;
  }

  const TlsClientContext::Options ca_{.ca_pem = Identity().ca_pem};
  EpollLoop loop_{RealClock()};
  std::unique_ptr<TlsServer> listener_;
  TestPeer server_;
  std::string address_;
  std::string port_;
  std::string message_;
};

TEST_F(TlsClientTest, NamesAndAddressesOfTheCertificate) {
  EXPECT_EQ(Outcome(ca_, address_), "open");
  EXPECT_EQ(Outcome(ca_, address_, "push.example.com"), "open");
  EXPECT_EQ(Outcome(ca_, address_, "other.example.com"), kCertificateNotTrusted);
  EXPECT_EQ(message_, "hostname mismatch");
  EXPECT_EQ(Outcome(ca_, address_, "127.0.0.2"), kCertificateNotTrusted);
  EXPECT_EQ(message_, "IP address mismatch");
}

TEST_F(TlsClientTest, ANameIsResolved) { EXPECT_EQ(Outcome(ca_, "localhost" + port_), "open"); }

TEST_F(TlsClientTest, AnotherCa) {
  EXPECT_EQ(Outcome({.ca_pem = TlsTestIdentity::Make().ca_pem}, address_), kCertificateNotTrusted);
  ASSERT_TRUE(RunLoopUntil(&loop_, [&] { return server_.closed > 0; }));
  EXPECT_EQ(server_.reason, kTlsAlert) << "the server is told, too";
}

TEST_F(TlsClientTest, Pins) {
  const std::string pin = Identity().Pin();
  const std::string wrong = std::string(32, 'x');
  EXPECT_EQ(Outcome({.pin_sha256 = pin}, address_, "any.name"), "open") << "the pin stands alone";
  EXPECT_EQ(Outcome({.pin_sha256 = wrong}, address_), kCertificateNotTrusted);
  EXPECT_EQ(message_, "the server's key is not the pinned one");
  EXPECT_EQ(Outcome({.ca_pem = Identity().ca_pem, .pin_sha256 = pin}, address_), "open");
  EXPECT_EQ(Outcome({.ca_pem = Identity().ca_pem, .pin_sha256 = wrong}, address_),
            kCertificateNotTrusted);
  EXPECT_EQ(Outcome({.ca_pem = Identity().ca_pem, .pin_sha256 = pin}, address_, "any.name"),
            kCertificateNotTrusted);
  EXPECT_EQ(Outcome({.ca_pem = TlsTestIdentity::Make().ca_pem, .pin_sha256 = pin}, address_),
            kCertificateNotTrusted);
}

TEST_F(TlsClientTest, NobodyListens) {
  listener_.reset();
  EXPECT_EQ(Outcome(ca_, address_), kCannotConnect);
  EXPECT_EQ(message_, "cannot connect to " + address_ + ": Connection refused");
}

TEST_F(TlsClientTest, UnusableAddresses) {
  for (const char* address : {"", "host", "host:0", ":443", "1:2:3"}) {
    EXPECT_EQ(Outcome(ca_, address), "BAD_ADDRESS") << address;
  }
}

TEST_F(TlsClientTest, ANameThatNobodyKnows) {
  // RFC 6761: never resolves.
  EXPECT_EQ(Outcome(ca_, "nobody.invalid:443"), kNameNotResolved);
}

TEST_F(TlsClientTest, AServerThatSaysNothing) {
  // Accepts by the kernel's backlog alone: the loop that owns it never runs.
  EpollLoop frozen(RealClock());
  auto listener = TlsServer::Listen(&frozen, Identity().ServerContext(), "127.0.0.1:0",
                                    [](std::unique_ptr<Stream>) {});
  ASSERT_TRUE(listener.ok());
  EXPECT_EQ(Outcome(ca_, (*listener)->address(), "", absl::Milliseconds(50)), kConnectTimedOut);
  EXPECT_NE(message_.find("the TLS handshake took too long"), std::string::npos) << message_;
}

TEST_F(TlsClientTest, NothingComesAfterClosingOrDestroying) {
  TlsClient client(&loop_, Trust(ca_));
  for (const std::string& address : {address_, "localhost" + port_, std::string("bad")}) {
    TestPeer closed, destroyed;
    closed.Take(client.Connect(address));
    closed.stream->Close();
    destroyed.Take(client.Connect(address));
    destroyed.stream.reset();
    RunLoopFor(&loop_, absl::Milliseconds(50));
    EXPECT_FALSE(closed.open || destroyed.open);
    EXPECT_EQ(closed.closed + destroyed.closed, 0);
  }
}

TEST_F(TlsClientTest, TheLoopMayEndWhileANameIsLookedUp) {
  EpollLoop loop(RealClock());
  TlsClient client(&loop, Trust(ca_));
  TestPeer peer;
  peer.Take(client.Connect("localhost" + port_));
}

TEST_F(TlsClientTest, PausedFromTheStart) {
  TlsClient client(&loop_, Trust(ca_));
  TestPeer peer;
  peer.Take(client.Connect(address_));
  peer.stream->PauseReading();
  ASSERT_TRUE(RunLoopUntil(&loop_, [&] { return peer.open && server_.open; }));
  server_.stream->Write("hello");
  RunLoopFor(&loop_, absl::Milliseconds(20));
  EXPECT_EQ(peer.received, "");
  peer.stream->ResumeReading();
  EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return peer.received == "hello"; }));
}

}  // namespace
}  // namespace bellwire::net
