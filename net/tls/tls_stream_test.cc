// TLS streams over real sockets: both ends in one loop, on the loopback interface.

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/run_loop_until.h"
#include "net/simulated/test_peer.h"
#include "net/socket/address.h"
#include "net/socket/close_reason.h"
#include "net/tls/ticket_keys.h"
#include "net/tls/tls_client.h"
#include "net/tls/tls_server.h"
#include "net/tls/tls_test_identity.h"

namespace bellwire::net {
namespace {

const TlsTestIdentity& Identity() {
  static const TlsTestIdentity* const identity = new TlsTestIdentity(TlsTestIdentity::Make());
  return *identity;
}

class TlsStreamTest : public testing::Test {
 protected:
  void SetUp() override { Listen(Identity().ServerContext(&server_clock_)); }

  void Listen(std::shared_ptr<TlsServerContext> context) {
    auto listener = TlsServer::Listen(
        &loop_, std::move(context), "127.0.0.1:0",
        [this](std::unique_ptr<Stream> stream) { server_.Take(std::move(stream)); });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  // A new connection in client_ and server_, open at both ends.
  void Connect() {
    client_ = TestPeer();
    server_ = TestPeer();
    client_.Take(tls_.Connect(listener_->address()));
    ASSERT_TRUE(RunUntil([&] { return client_.open && server_.open; })) << client_.status;
  }
  bool RunUntil(absl::FunctionRef<bool()> condition) { return RunLoopUntil(&loop_, condition); }
  // Sends a ticket and waits until the client has it.
  void SendTicket(absl::string_view data) {
    tls_.ForgetTicket();
    server_.stream->SendTicket(data);
    ASSERT_TRUE(RunUntil([&] { return tls_.has_ticket(); }));
  }

  EpollLoop loop_{RealClock()};
  SimulatedClock server_clock_;
  TlsClient tls_{&loop_, Identity().ClientContext()};
  std::unique_ptr<TlsServer> listener_;
  TestPeer client_;
  TestPeer server_;
};

TEST_F(TlsStreamTest, CarriesBytesBothWaysAndEndsCleanly) {
  Connect();
  EXPECT_EQ(client_.stream->peer_name(), listener_->address());
  EXPECT_EQ(server_.stream->peer_name().substr(0, 10), "127.0.0.1:");
  client_.stream->Write("hel");
  client_.stream->Write("lo");
  server_.stream->Write("welcome");
  ASSERT_TRUE(
      RunUntil([&] { return server_.received == "hello" && client_.received == "welcome"; }));
  EXPECT_EQ(server_.pieces, 1) << "writes of one turn travel together";
  server_.stream->Close();
  ASSERT_TRUE(RunUntil([&] { return client_.closed > 0; }));
  EXPECT_EQ(client_.reason, "OK");
  RunLoopFor(&loop_, absl::Milliseconds(20));
  EXPECT_EQ(client_.closed, 1);
  EXPECT_EQ(server_.closed, 0) << "it closed by itself";
}

// The client's descriptor: the only one that is connected to `address`.
int DescriptorTo(const std::string& address) {
  for (int fd = 0; fd < 1024; ++fd) {
    SocketAddress peer;
    peer.size = sizeof(peer.storage);
    if (getpeername(fd, peer.get(), &peer.size) == 0 && FormatAddress(peer) == address) return fd;
  }
  return -1;
}

TEST_F(TlsStreamTest, TheEndOfTheHandshakeTravelsWithTheFirstWords) {
  client_.first_words = "login";
  client_.Take(tls_.Connect(listener_->address()));
  ASSERT_TRUE(RunUntil([&] { return server_.received == "login"; })) << client_.status;
  tcp_info info = {};
  socklen_t size = sizeof(info);
  ASSERT_EQ(getsockopt(DescriptorTo(listener_->address()), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  EXPECT_EQ(info.tcpi_data_segs_out, 2u) << "ClientHello; Finished and the words";
}

TEST_F(TlsStreamTest, TheEndOfTheHandshakeWaitsForNobodyWhoIsSilent) {
  client_.Take(tls_.Connect(listener_->address()));
  ASSERT_TRUE(RunUntil([&] { return client_.open; })) << client_.status;
  int unsent = -1;
  ASSERT_EQ(ioctl(DescriptorTo(listener_->address()), SIOCOUTQNSD, &unsent), 0);
  EXPECT_EQ(unsent, 0);
  EXPECT_TRUE(RunUntil([&] { return server_.open; }));
}

TEST_F(TlsStreamTest, MegabytesWithBackPressure) {
  Connect();
  std::string sent;
  for (int i = 0; sent.size() < 8'000'000; ++i) sent += absl::StrCat(i, ",");
  server_.stream->PauseReading();
  client_.stream->Write(sent);
  EXPECT_GT(client_.stream->buffered_bytes(), 0u) << "more than the kernel takes";
  RunLoopFor(&loop_, absl::Milliseconds(50));
  EXPECT_EQ(server_.received, "") << "it doesn't want to read";
  EXPECT_EQ(client_.drained, 0);
  server_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return server_.received.size() == sent.size(); }));
  EXPECT_TRUE(server_.received == sent);
  EXPECT_EQ(client_.drained, 1);
  EXPECT_EQ(client_.stream->buffered_bytes(), 0u);
}

TEST_F(TlsStreamTest, CloseSendsTheRestThoughTheStreamIsDestroyed) {
  Connect();
  const std::string sent(8'000'000, 'x');
  client_.stream->Write(sent);
  ASSERT_GT(client_.stream->buffered_bytes(), 0u);
  client_.stream->Close();
  client_.stream.reset();
  ASSERT_TRUE(RunUntil([&] { return server_.closed > 0; }));
  EXPECT_EQ(server_.reason, "OK");
  EXPECT_EQ(server_.received.size(), sent.size());
}

// Without care the kernel would answer the unread bytes with a reset, which overtakes the last
// words.
TEST_F(TlsStreamTest, LastWordsArriveThoughThePeerWasTalking) {
  Connect();
  server_.stream->PauseReading();
  client_.stream->Write(std::string(100'000, 'x'));
  RunLoopFor(&loop_, absl::Milliseconds(20));
  server_.stream->Write("go away");
  server_.stream->Close();
  server_.stream.reset();
  ASSERT_TRUE(RunUntil([&] { return client_.closed > 0; }));
  EXPECT_EQ(client_.received, "go away");
  EXPECT_EQ(client_.reason, "OK");
}

TEST_F(TlsStreamTest, ACutConnectionIsNotACleanEnd) {
  Connect();
  client_.stream.reset();
  ASSERT_TRUE(RunUntil([&] { return server_.closed > 0; }));
  EXPECT_EQ(server_.reason, kTruncated);
}

TEST_F(TlsStreamTest, WritingToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  Connect();
  client_.stream->PauseReading();  // So that it learns by writing.
  server_.stream->Write("unread, so that the kernel resets the connection");
  RunLoopFor(&loop_, absl::Milliseconds(20));
  server_.stream.reset();
  for (int i = 0; i < 100 && client_.closed == 0; ++i) {
    client_.stream->Write(std::string(20'000, 'x'));
    EXPECT_EQ(client_.closed, 0) << "callbacks come from the loop";
    RunLoopFor(&loop_, absl::Milliseconds(1));
  }
  EXPECT_EQ(client_.closed, 1);
  EXPECT_EQ(client_.reason, kConnectionReset);
  client_.stream->Write("ignored");
  client_.stream->Close();
}

TEST_F(TlsStreamTest, ExportersMatchAndDifferBetweenConnections) {
  Connect();
  const std::string first = client_.stream->tls_exporter();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(server_.stream->tls_exporter(), first);
  SendTicket("x");
  EXPECT_EQ(server_.stream->tls_exporter(), first) << "a ticket changes nothing";
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "x");
  EXPECT_EQ(server_.stream->tls_exporter(), client_.stream->tls_exporter());
  EXPECT_NE(client_.stream->tls_exporter(), first) << "not even when the session is resumed";
}

TEST_F(TlsStreamTest, AResumedSessionCarriesTheTicketsData) {
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "");
  EXPECT_FALSE(tls_.has_ticket()) << "none is sent unasked";
  SendTicket("device 7");
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "device 7");
  // The next ticket is for the next connection.
  SendTicket("device 8");
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "device 7");
  client_.stream->Write("still works");
  ASSERT_TRUE(RunUntil([&] { return server_.received == "still works"; }));
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "device 8");
}

TEST_F(TlsStreamTest, ATicketGoesOutThoughWritesAreWaiting) {
  Connect();
  client_.stream->PauseReading();
  server_.stream->Write(std::string(8'000'000, 'x'));
  ASSERT_GT(server_.stream->buffered_bytes(), 0u);
  server_.stream->SendTicket("device 7");
  client_.stream->ResumeReading();
  ASSERT_TRUE(RunUntil([&] { return client_.received.size() == 8'000'000 && tls_.has_ticket(); }));
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "device 7");
}

TEST_F(TlsStreamTest, ATicketOfAnotherServerMeansAFullHandshake) {
  Connect();
  SendTicket("device 7");
  Listen(Identity().ServerContext());
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "");
}

TEST_F(TlsStreamTest, ATicketWhoseKeyIsGoneMeansAFullHandshake) {
  Connect();
  SendTicket("device 7");
  server_clock_.Advance(kTicketLifetime);
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "device 7");
  server_clock_.Advance(kTicketLifetime);
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "");
}

TEST_F(TlsStreamTest, ASessionOutlivesAServerThatWasKilled) {
  Connect();
  SendTicket("device 7");
  server_.stream.reset();  // The kernel ends the connection, without a word of TLS.
  ASSERT_TRUE(RunUntil([&] { return client_.closed > 0; }));
  EXPECT_EQ(client_.reason, kTruncated);
  Connect();
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "device 7");
}

TEST_F(TlsStreamTest, ATicketIsForTheNamesInTheServersCertificate) {
  const TlsTestIdentity two = TlsTestIdentity::Make({"one.example", "two.example"});
  Listen(two.ServerContext());
  TlsClient client(&loop_, two.ClientContext());
  TestPeer first, second, third;
  first.Take(client.Connect(listener_->address(), "one.example"));
  ASSERT_TRUE(RunUntil([&] { return first.open && server_.open; })) << first.status;
  server_.stream->SendTicket("x");
  ASSERT_TRUE(RunUntil([&] { return client.has_ticket(); }));
  server_ = TestPeer();
  second.Take(client.Connect(listener_->address(), "two.example"));
  ASSERT_TRUE(RunUntil([&] { return second.open && server_.open; })) << second.status;
  EXPECT_EQ(server_.stream->resumed_ticket_data(), "x");
  server_ = TestPeer();
  third.Take(client.Connect(listener_->address(), "three.example"));
  ASSERT_TRUE(RunUntil([&] { return third.closed > 0; }));
  EXPECT_EQ(third.reason, kCertificateNotTrusted) << "a resumed session would not have shown one";
}

// What an attempt that fails does to a ticket is nothing.
TEST_F(TlsStreamTest, ATicketOutlivesAFailedAttempt) {
  Connect();
  SendTicket("device 7");
  const std::string address = listener_->address();
  listener_.reset();
  {
    const auto refusing = TlsServer::Listen(
        &loop_, Identity().ServerContext(&server_clock_), address,
        [this](std::unique_ptr<Stream> stream) { loop_.DeleteLater(std::move(stream)); });
    ASSERT_TRUE(refusing.ok()) << refusing.status();
    TestPeer failing;
    failing.Take(tls_.Connect(address));
    ASSERT_TRUE(RunUntil([&] { return failing.closed > 0; }));
  }
  EXPECT_TRUE(tls_.has_ticket());
}

// The delegate and its stream go at once, in each kind of callback; AddressSanitizer watches.
class Quitter final : public Stream::Delegate {
 public:
  enum Moment { kOpen, kData, kClosed };
  Quitter(EpollLoop* loop, Moment moment, bool close_first, std::unique_ptr<Stream> stream,
          int* alive)
      : loop_(loop),
        moment_(moment),
        close_first_(close_first),
        stream_(std::move(stream)),
        alive_(alive) {
    ++*alive_;
    stream_->SetDelegate(this);
  }
  ~Quitter() override { --*alive_; }
  void OnOpen() override { QuitIf(kOpen); }
  void OnData(absl::string_view) override { QuitIf(kData); }
  void OnClosed(const absl::Status&) override { QuitIf(kClosed); }

 private:
  void QuitIf(Moment moment) {
    EXPECT_FALSE(quit_) << "called after it was deleted";
    if (moment != moment_) return;
    quit_ = true;
    stream_->Write("bye");
    if (close_first_) stream_->Close();
    loop_->DeleteLater(std::unique_ptr<Quitter>(this));
  }

  EpollLoop* const loop_;
  const Moment moment_;
  const bool close_first_;
  std::unique_ptr<Stream> stream_;
  int* const alive_;
  bool quit_ = false;
};

TEST_F(TlsStreamTest, DeleteLaterWorksInEveryCallback) {
  for (const Quitter::Moment moment : {Quitter::kOpen, Quitter::kData, Quitter::kClosed}) {
    for (const bool close_first : {false, true}) {
      SCOPED_TRACE(testing::Message() << moment << " " << close_first);
      int alive = 0;
      auto listener = TlsServer::Listen(
          &loop_, Identity().ServerContext(), "127.0.0.1:0", [&](std::unique_ptr<Stream> stream) {
            new Quitter(&loop_, moment, close_first, std::move(stream), &alive);
          });
      ASSERT_TRUE(listener.ok());
      TestPeer client;
      client.Take(tls_.Connect((*listener)->address()));
      ASSERT_TRUE(RunUntil([&] { return client.open || client.closed > 0; }));
      if (moment != Quitter::kOpen) {
        client.stream->Write(std::string(200'000, 'x'));
        client.stream->Close();
      }
      ASSERT_TRUE(RunUntil([&] { return alive == 0; }));
    }
  }
}

TEST(TlsContextTest, UnusablePemIsNamed) {
  const TlsTestIdentity& good = Identity();
  const TlsTestIdentity other = TlsTestIdentity::Make();
  const auto reason = [](absl::string_view certificate, absl::string_view key) {
    return ErrorReason(
        TlsServerContext::Create({std::string(certificate), std::string(key), RealClock()})
            .status());
  };
  EXPECT_EQ(reason("garbage", good.private_key_pem), "BAD_CERTIFICATE");
  EXPECT_EQ(reason(good.certificate_pem, "garbage"), "BAD_PRIVATE_KEY");
  EXPECT_EQ(reason(good.certificate_pem, other.private_key_pem), "BAD_PRIVATE_KEY");
  EXPECT_EQ(ErrorReason(TlsClientContext::Create({}).status()), "NO_TRUST");
  EXPECT_EQ(ErrorReason(TlsClientContext::Create({.ca_pem = "garbage"}).status()),
            "BAD_CERTIFICATE");
  EXPECT_EQ(ErrorReason(TlsClientContext::Create({.pin_sha256 = "short"}).status()), "BAD_PIN");
}

}  // namespace
}  // namespace bellwire::net
