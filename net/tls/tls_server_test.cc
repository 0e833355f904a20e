// What a TLS listener makes of peers that are no Bellwire agents.

#include "net/tls/tls_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/run_loop_until.h"
#include "net/simulated/test_peer.h"
#include "net/socket/address.h"
#include "net/socket/close_reason.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_client.h"
#include "net/tls/tls_test_identity.h"

namespace bellwire::net {
namespace {

const TlsTestIdentity& Identity() {
  static const TlsTestIdentity* const identity = new TlsTestIdentity(TlsTestIdentity::Make());
  return *identity;
}

// A plain TCP connection, blocking.
class RawSocket {
 public:
  explicit RawSocket(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const auto parts = ParseHostPort(address);
    const auto target = NumericAddress(parts->host, parts->port);
    EXPECT_EQ(connect(fd_, target->get(), target->size), 0);
  }
  ~RawSocket() { close(fd_); }
  void Send(absl::string_view data) {
    EXPECT_EQ(send(fd_, data.data(), data.size(), MSG_NOSIGNAL), static_cast<ssize_t>(data.size()));
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

class TlsServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto listener = TlsServer::Listen(&loop_, Identity().ServerContext(), "127.0.0.1:0",
                                      [this](std::unique_ptr<Stream> stream) {
                                        accepted_.push_back(std::make_unique<TestPeer>());
                                        accepted_.back()->Take(std::move(stream));
                                      });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    // An honest agent that must not notice anything.
    honest_.Take(tls_.Connect(listener_->address()));
    ASSERT_TRUE(RunUntil([&] { return honest_.open; })) << honest_.status;
  }
  void TearDown() override {
    EXPECT_EQ(honest_.closed, 0);
    honest_.stream->Write("still here");
    EXPECT_TRUE(RunUntil([&] { return accepted_[0]->received == "still here"; }));
  }
  bool RunUntil(absl::FunctionRef<bool()> condition) { return RunLoopUntil(&loop_, condition); }
  // The peer accepted after the honest one.
  TestPeer& hostile() { return *accepted_.at(1); }
  // Runs until its connection ended.
  std::string HostileReason() {
    EXPECT_TRUE(RunUntil([&] { return accepted_.size() > 1 && hostile().closed > 0; }));
    EXPECT_FALSE(hostile().open);
    return hostile().reason;
  }
  // A blocking handshake by a client of OpenSSL's own, on another thread, while the loop runs.
  void Handshake(int max_version, absl::string_view alpn) {
    std::thread client([this, max_version, alpn] {
      RawSocket socket(listener_->address());
      SSL_CTX* const ctx = SSL_CTX_new(TLS_client_method());
      SSL_CTX_set_max_proto_version(ctx, max_version);
      if (!alpn.empty()) {
        SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const unsigned char*>(alpn.data()),
                                static_cast<unsigned>(alpn.size()));
      }
      SSL* const ssl = SSL_new(ctx);
      SSL_set_fd(ssl, socket.fd());
      EXPECT_NE(SSL_connect(ssl), 1);
      SSL_free(ssl);
      SSL_CTX_free(ctx);
    });
    HostileReason();
    client.join();
  }

  EpollLoop loop_{RealClock()};
  TlsClient tls_{&loop_, Identity().ClientContext()};
  std::unique_ptr<TlsServer> listener_;
  TestPeer honest_;
  std::vector<std::unique_ptr<TestPeer>> accepted_;
};

TEST_F(TlsServerTest, PlainHttp) {
  RawSocket socket(listener_->address());
  socket.Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(HostileReason(), kPlainHttp);
}

TEST_F(TlsServerTest, AHandshakeTakesTwoTurnsAndWhoSaysNothingTakesNone) {
  // Asked for before a turn and after it.
  int asked = 0;
  HandshakeQueue queue(&loop_, [&asked] {
    ++asked;
    return absl::ZeroDuration();
  });
  std::vector<std::unique_ptr<TestPeer>> accepted;
  auto listener = TlsServer::Listen(&loop_, Identity().ServerContext(), "127.0.0.1:0",
                                    [&](std::unique_ptr<Stream> stream) {
                                      accepted.push_back(std::make_unique<TestPeer>());
                                      accepted.back()->Take(std::move(stream));
                                    },
                                    {.handshakes = &queue});
  ASSERT_TRUE(listener.ok()) << listener.status();
  RawSocket half((*listener)->address());
  half.Send("\x16");
  ASSERT_TRUE(RunUntil([&] { return accepted.size() == 1; }));
  ASSERT_TRUE(RunUntil([&] { return std::exchange(asked, 0) == 0; }));
  for (int i = 0; i < 3; ++i) {
    queue.GiveWay();  // Else nobody asks.
    TestPeer client;
    client.Take(tls_.Connect((*listener)->address()));
    ASSERT_TRUE(RunUntil([&] { return client.open && accepted.back()->open; })) << client.status;
  }
  EXPECT_EQ(asked, 3 * 2 * 2);
  accepted.clear();
}

TEST_F(TlsServerTest, HttpProxyRequest) {
  RawSocket socket(listener_->address());
  socket.Send("CONNECT example.com:443 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(HostileReason(), kPlainHttp);
}

TEST_F(TlsServerTest, AnotherProtocol) {
  RawSocket socket(listener_->address());
  socket.Send("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
  EXPECT_EQ(HostileReason(), kNotTls);
}

TEST_F(TlsServerTest, RandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    std::string noise(5 + random() % 40'000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    // Every second one gets past the first look: a handshake record of TLS.
    if (round % 2 == 0) noise.replace(0, 3, "\x16\x03\x01");
    {
      RawSocket socket(listener_->address());
      socket.Send(noise);
      ASSERT_TRUE(RunUntil([&] { return accepted_.size() > 1; }));
      // Ends here, should OpenSSL be waiting for the rest of a record.
      shutdown(socket.fd(), SHUT_WR);
      EXPECT_NE(HostileReason(), "OK");
    }
    accepted_.pop_back();
  }
}

TEST_F(TlsServerTest, WrongAlpn) {
  Handshake(TLS1_3_VERSION, "\x02h2\x08http/1.1");
  EXPECT_EQ(hostile().reason, kWrongAlpn);
}

TEST_F(TlsServerTest, NoAlpn) {
  Handshake(TLS1_3_VERSION, "");
  EXPECT_EQ(hostile().reason, kWrongAlpn);
}

TEST_F(TlsServerTest, Tls12Only) {
  Handshake(TLS1_2_VERSION,
            "\x0a"
            "bellwire/1");
  EXPECT_EQ(hostile().reason, kTlsVersion);
}

TEST_F(TlsServerTest, GoneInTheHandshake) {
  RawSocket socket(listener_->address());
  socket.Send("\x16\x03\x01\x01");
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() > 1; }));
  shutdown(socket.fd(), SHUT_WR);
  EXPECT_EQ(HostileReason(), kClosedInHandshake);
}

// It costs a descriptor until its time is over, and nothing else.
TEST_F(TlsServerTest, WhoSaysNothingIsNoConnection) {
  int silent = 0;
  auto listener = TlsServer::Listen(
      &loop_, Identity().ServerContext(), "127.0.0.1:0", [](std::unique_ptr<Stream>) { FAIL(); },
      {.silent_timeout = absl::Milliseconds(20),
       .on_lost = [&](WaitingRoom::Loss loss) { silent += loss == WaitingRoom::Loss::kSilent; }});
  ASSERT_TRUE(listener.ok()) << listener.status();
  RawSocket one((*listener)->address()), two((*listener)->address());
  EXPECT_TRUE(RunUntil([&] { return silent == 2; }));
}

TEST_F(TlsServerTest, HalfOpenUntilTheOwnerClosesIt) {
  RawSocket socket(listener_->address());
  socket.Send("\x16\x03\x01\x01");  // The beginning of a ClientHello, and then nothing.
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() > 1; }));
  RunLoopFor(&loop_, absl::Milliseconds(20));
  EXPECT_EQ(hostile().closed, 0) << "time-outs are the owner's business";
  hostile().stream->Close();
  accepted_.pop_back();
  RunLoopFor(&loop_, absl::Milliseconds(1));
  char byte;
  const ssize_t n = recv(socket.fd(), &byte, 1, MSG_DONTWAIT);
  EXPECT_TRUE(n == 0 || (n < 0 && errno == ECONNRESET)) << "it is closed";
}

TEST_F(TlsServerTest, ManyAtOnce) {
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 200; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(listener_->address()));
    sockets.back()->Send("HEAD / HTTP/1.0\r\n\r\n");
  }
  ASSERT_TRUE(RunUntil([&] {
    for (size_t i = 1; i < accepted_.size(); ++i) {
      if (accepted_[i]->reason != kPlainHttp) return false;
    }
    return accepted_.size() == 201;
  }));
}

TEST(TlsServerListenTest, SeveralLoopsShareAPort) {
  EpollLoop loop(RealClock());
  const auto context = Identity().ServerContext();
  int accepted[2] = {0, 0};
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<std::unique_ptr<TlsServer>> listeners;
  for (int i = 0; i < 2; ++i) {
    auto listener =
        TlsServer::Listen(&loop, context, i == 0 ? "127.0.0.1:0" : listeners[0]->address(),
                          [&, i](std::unique_ptr<Stream> stream) {
                            ++accepted[i];
                            stream->Close();
                          },
                          {.share = i == 0 ? PortShare::kFirst : PortShare::kBeside});
    ASSERT_TRUE(listener.ok()) << listener.status();
    listeners.push_back(*std::move(listener));
  }
  EXPECT_EQ(listeners[0]->address(), listeners[1]->address());
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 64; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(listeners[0]->address()));
    sockets.back()->Send("hello");
  }
  ASSERT_TRUE(RunLoopUntil(&loop, [&] { return accepted[0] + accepted[1] == 64; }));
  EXPECT_GT(accepted[0], 0);
  EXPECT_GT(accepted[1], 0);
}

TEST(TlsServerListenTest, ASecondServerDoesNotGetThePort) {
  EpollLoop loop(RealClock());
  const auto ignore = [](std::unique_ptr<Stream>) {};
  const auto first = TlsServer::Listen(&loop, Identity().ServerContext(), "127.0.0.1:0", ignore);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second =
      TlsServer::Listen(&loop, Identity().ServerContext(), (*first)->address(), ignore);
  EXPECT_EQ(ErrorReason(second.status()), "CANNOT_LISTEN");
}

TEST(TlsServerListenTest, AddressesThatWontDo) {
  EpollLoop loop(RealClock());
  const auto reason = [&](absl::string_view address) {
    return ErrorReason(
        TlsServer::Listen(&loop, Identity().ServerContext(), address, [](std::unique_ptr<Stream>) {
        }).status());
  };
  EXPECT_EQ(reason("7444"), "BAD_ADDRESS");
  EXPECT_EQ(reason("some.name:7444"), "BAD_ADDRESS");
  EXPECT_EQ(reason("192.0.2.1:7444"), "CANNOT_LISTEN") << "an address of no machine (RFC 5737)";
  EXPECT_EQ(reason("127.0.0.1:0"), "");
}

// Sockets wait, the oldest first, until it is said that one may start; who gives up meanwhile is
// left out.
TEST(TlsServerWaitingTest, HandshakesStartWhenTheyMay) {
  EpollLoop loop(RealClock());
  int may_start = 0;
  std::vector<std::unique_ptr<TestPeer>> accepted;
  const auto listener = TlsServer::Listen(&loop, Identity().ServerContext(), "127.0.0.1:0",
                                          [&](std::unique_ptr<Stream> stream) {
                                            --may_start;
                                            accepted.push_back(std::make_unique<TestPeer>());
                                            accepted.back()->Take(std::move(stream));
                                          },
                                          {.may_start = [&] { return may_start > 0; }});
  ASSERT_TRUE(listener.ok()) << listener.status();
  TlsClient tls(&loop, Identity().ClientContext());
  TestPeer first, last;
  first.Take(tls.Connect((*listener)->address()));
  RunLoopFor(&loop, 5 * kStartRetry);
  const auto hello_and_goodbye = std::make_unique<RawSocket>((*listener)->address());
  hello_and_goodbye->Send("hello");
  shutdown(hello_and_goodbye->fd(), SHUT_WR);
  RunLoopFor(&loop, 5 * kStartRetry);
  last.Take(tls.Connect((*listener)->address()));
  RunLoopFor(&loop, 5 * kStartRetry);
  EXPECT_EQ(accepted.size(), 0u);
  EXPECT_FALSE(first.open);

  may_start = 1;
  EXPECT_TRUE(RunLoopUntil(&loop, [&] { return first.open; })) << first.status;
  RunLoopFor(&loop, 5 * kStartRetry);
  EXPECT_EQ(accepted.size(), 1u);
  EXPECT_FALSE(last.open);
  may_start = 1;
  EXPECT_TRUE(RunLoopUntil(&loop, [&] { return last.open; })) << last.status;
  EXPECT_EQ(accepted.size(), 2u);
}

int OpenDescriptors() {
  const std::filesystem::directory_iterator descriptors("/proc/self/fd");
  return static_cast<int>(std::distance(begin(descriptors), end(descriptors)));
}

TEST(TlsServerListenTest, WithoutAHostItListensOnEveryAddress) {
  EpollLoop loop(RealClock());
  for (const char* address : {":0", "[::]:0"}) {
    const auto listener = TlsServer::Listen(&loop, Identity().ServerContext(), address,
                                            [](std::unique_ptr<Stream>) {});
    ASSERT_TRUE(listener.ok()) << listener.status();
    const uint16_t port = ParseHostPort((*listener)->address())->port;
    for (const char* host : {"127.0.0.1", "::1"}) {
      const SocketAddress target = *NumericAddress(host, port);
      const int fd = socket(target.family(), SOCK_STREAM, 0);
      if (fd < 0 && errno == EAFNOSUPPORT) continue;  // A machine without IPv6.
      EXPECT_EQ(connect(fd, target.get(), target.size), 0) << host << " at " << address;
      close(fd);
    }
  }
}

// Nobody behind the same address takes the place of who resumes.
TEST(TlsServerWaitingTest, AValidTicketCountsForItself) {
  EpollLoop loop(RealClock());
  std::vector<PeerKey> peers;
  TestPeer server, client;
  const auto listener = TlsServer::Listen(
      &loop, Identity().ServerContext(), "127.0.0.1:0",
      TlsServer::OnArrival([&](std::unique_ptr<Stream> stream, const Arrival& arrival) {
        peers.push_back(arrival.peer);
        server.Take(std::move(stream));
      }),
      TlsServer::Options());
  ASSERT_TRUE(listener.ok()) << listener.status();
  TlsClient tls(&loop, Identity().ClientContext());
  const auto connect = [&] {
    client = TestPeer();
    server = TestPeer();
    client.Take(tls.Connect((*listener)->address()));
    ASSERT_TRUE(RunLoopUntil(&loop, [&] { return client.open && server.open; }));
  };
  connect();
  server.stream->SendTicket("device 7");
  ASSERT_TRUE(RunLoopUntil(&loop, [&] { return tls.has_ticket(); }));
  connect();
  EXPECT_EQ(server.stream->resumed_ticket_data(), "device 7");
  connect();
  tls.ForgetTicket();
  connect();
  const PeerKey loopback = PeerKey::OfAddress(*NumericAddress("127.0.0.1", 1));
  EXPECT_EQ(peers[0], loopback);
  EXPECT_FALSE(peers[1] == loopback);
  EXPECT_EQ(peers[2], peers[1]);
  EXPECT_EQ(peers[3], loopback);
}

// Beyond the bound the newest of whoever has the most is closed.
TEST(TlsServerWaitingTest, OnlySoManySocketsWait) {
  EpollLoop loop(RealClock());
  bool may_start = false;
  std::vector<std::unique_ptr<TestPeer>> accepted;
  const auto listener =
      TlsServer::Listen(&loop, Identity().ServerContext(), "127.0.0.1:0",
                        [&](std::unique_ptr<Stream> stream) {
                          accepted.push_back(std::make_unique<TestPeer>());
                          accepted.back()->Take(std::move(stream));
                        },
                        {.may_start = [&] { return may_start; }, .max_waiting = 2});
  ASSERT_TRUE(listener.ok()) << listener.status();
  TlsClient tls(&loop, Identity().ClientContext());
  const int before = OpenDescriptors();
  std::array<TestPeer, 5> clients;
  for (TestPeer& client : clients) client.Take(tls.Connect((*listener)->address()));
  RunLoopFor(&loop, 5 * kStartRetry);
  ASSERT_TRUE(RunLoopUntil(&loop, [&] {
    return std::count_if(clients.begin(), clients.end(),
                         [](const TestPeer& c) { return c.closed > 0; }) == 3;
  }));
  EXPECT_EQ(OpenDescriptors(), before + 2 + 2);
  may_start = true;
  EXPECT_TRUE(RunLoopUntil(&loop, [&] {
    return std::count_if(clients.begin(), clients.end(),
                         [](const TestPeer& c) { return c.open; }) == 2;
  }));
  EXPECT_EQ(accepted.size(), 2u);
}

// Who waits when the listener goes hears of it.
TEST(TlsServerWaitingTest, WaitingSocketsEndWithTheListener) {
  EpollLoop loop(RealClock());
  auto listener = TlsServer::Listen(&loop, Identity().ServerContext(), "127.0.0.1:0",
                                    [](std::unique_ptr<Stream>) { FAIL(); },
                                    {.may_start = [] { return false; }});
  ASSERT_TRUE(listener.ok()) << listener.status();
  TlsClient tls(&loop, Identity().ClientContext());
  TestPeer agent;
  agent.Take(tls.Connect((*listener)->address()));
  RunLoopFor(&loop, 5 * kStartRetry);
  listener->reset();
  EXPECT_TRUE(RunLoopUntil(&loop, [&] { return agent.closed > 0; }));
}

}  // namespace
}  // namespace bellwire::net
