// The listener on real sockets: TLS and its versions, which HTTP is spoken, bounds of connections, new
// certificates, drains. What happens on one connection is tested beside H2Connection.

#include "gateway/doors/http/http_listener.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/http/testing/h2_test_client.h"
#include "gtest/gtest.h"
#include "net/socket/address.h"
#include "net/tls/tls_test_identity.h"

namespace bellwire::http {
namespace {

// A client on a blocking socket.
class TlsPeer {
 public:
  struct Options {
    std::string alpn = std::string("\x02h2");
    int max_version = TLS1_3_VERSION;
  };
  TlsPeer(uint16_t port, Options options) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_max_proto_version(context_, options.max_version);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const net::SocketAddress address = *net::NumericAddress("127.0.0.1", port);
    ok_ = connect(fd_, address.get(), address.size) == 0;
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    }
    ok_ = ok_ && SSL_connect(ssl_) == 1;
  }
  explicit TlsPeer(uint16_t port) : TlsPeer(port, Options()) {}
  ~TlsPeer() {
    SSL_free(ssl_);
    close(fd_);
    SSL_CTX_free(context_);
  }
  bool ok() const { return ok_; }
  std::string alpn() const {
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &data, &size);
    return std::string(reinterpret_cast<const char*>(data), size);
  }
  bool Renegotiate() { return SSL_renegotiate(ssl_) == 1 && SSL_do_handshake(ssl_) == 1; }
  void Write(absl::string_view data) {
    if (!data.empty()) SSL_write(ssl_, data.data(), static_cast<int>(data.size()));
  }
  // Some bytes; empty: the end.
  std::string Read() {
    char buffer[16 * 1024];
    const int n = SSL_read(ssl_, buffer, sizeof(buffer));
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }
  std::string ReadAll() {
    std::string all;
    for (std::string piece = Read(); !piece.empty(); piece = Read()) all += piece;
    return all;
  }
  std::string CertificateDer() const {
    X509* const certificate = SSL_get1_peer_certificate(ssl_);
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    std::string result(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
    OPENSSL_free(der);
    X509_free(certificate);
    return result;
  }
  // One request, and its answer.
  H2TestClient::Response Ask(H2TestClient* client, const Fields& fields,
                             absl::string_view body = "") {
    const int32_t id = client->Request(fields, body);
    for (;;) {
      Write(client->Output());
      if (client->response(id).closed) return client->response(id);
      const std::string piece = Read();
      if (piece.empty()) return client->response(id);
      client->Input(piece);
    }
  }

 private:
  SSL_CTX* const context_;
  SSL* ssl_;
  int fd_;
  bool ok_ = false;
};

// Answers at once, or when the test says so.
class EchoDoor final : public Door {
 public:
  bool Matches(const RequestHead& head) const override { return head.path == "/echo"; }
  std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) override {
    return std::make_unique<Handler>(this, exchange);
  }
  void Hold() {
    absl::MutexLock lock(&mutex_);
    hold_ = true;
  }
  // From the test's thread, as an answer of the registry comes.
  void WaitForHeldAndRelease() {
    absl::MutexLock lock(&mutex_);
    const auto held = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return release_ != nullptr; };
    mutex_.Await(absl::Condition(&held));
    release_();
  }
  void WaitForHeld() {
    absl::MutexLock lock(&mutex_);
    const auto held = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return release_ != nullptr; };
    mutex_.Await(absl::Condition(&held));
  }

 private:
  class Handler final : public ExchangeHandler {
   public:
    Handler(EchoDoor* door, Exchange* exchange) : door_(door), exchange_(exchange) {}
    void OnBody(absl::string_view data) override {
      body_.append(data.data(), data.size());
      exchange_->Consume(data.size());
    }
    void OnBodyEnd() override {
      absl::MutexLock lock(&door_->mutex_);
      if (!door_->hold_) return Answer();
      door_->release_ = [this, thread = exchange_->thread()] {
        thread->Post([this] { Answer(); });
      };
    }
    void OnTimeout(Timeout why) override {
      exchange_->RespondOnly(why == Timeout::kShutdown ? 503 : 408, {});
    }
    void OnClosed() override {}

   private:
    void Answer() {
      exchange_->Respond(200, {});
      exchange_->Write(body_);
      exchange_->End();
    }
    EchoDoor* const door_;
    Exchange* const exchange_;
    std::string body_;
  };

  absl::Mutex mutex_;
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> release_ ABSL_GUARDED_BY(mutex_);
};

// Each request of "/work" costs the thread a tenth of a millisecond, and the one that is told to stops
// it there. "/mark" notes how many were served before.
class WorkDoor final : public Door {
 public:
  static constexpr absl::Duration kWork = absl::Microseconds(100);

  explicit WorkDoor(int stop_at) : stop_at_(stop_at) {}
  bool Matches(const RequestHead&) const override { return true; }
  std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) override {
    exchange->RespondOnly(200, {});
    if (exchange->head().path == "/mark") {
      served_before_mark = served_;
      return nullptr;
    }
    const absl::Duration began = ThreadCpuTime();
    while (ThreadCpuTime() - began < kWork) {
    }
    if (++served_ == stop_at_) {
      stopped.Notify();
      go_on.WaitForNotification();
    }
    return nullptr;
  }

  absl::Notification stopped;
  absl::Notification go_on;
  // Read once "/mark" is answered.
  int served_before_mark = 0;

 private:
  const int stop_at_;
  // Of the one thread.
  int served_ = 0;
};

class HttpListenerTest : public ::testing::Test {
 protected:
  static std::shared_ptr<net::TlsServerContext> Tls(const net::TlsTestIdentity& identity) {
    return *net::TlsServerContext::Create({.certificate_pem = identity.certificate_pem,
                                           .private_key_pem = identity.private_key_pem,
                                           .clock = RealClock(),
                                           .audience = net::TlsAudience::kWeb});
  }
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
  void Start(size_t max_connections = 0) {
    auto started = HttpListener::Start({.address = "127.0.0.1:0",
                                        .tls = Tls(identity_),
                                        .doors = {&door_},
                                        .threads = 2,
                                        .max_connections = max_connections});
    ASSERT_TRUE(started.ok()) << started.status();
    listener_ = *std::move(started);
  }
  std::unique_ptr<TlsPeer> Connect() { return std::make_unique<TlsPeer>(listener_->port()); }

  net::TlsTestIdentity identity_ = net::TlsTestIdentity::Make();
  EchoDoor door_;
  std::unique_ptr<HttpListener> listener_;
};

TEST_F(HttpListenerTest, ServesHttp2OverBothVersionsOfTls) {
  Start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsPeer peer(listener_->port(), {.max_version = version});
    ASSERT_TRUE(peer.ok());
    EXPECT_EQ(peer.alpn(), "h2");
    H2TestClient client;
    const auto response = peer.Ask(&client, PostFields("/echo"), std::string(100'000, 'x'));
    EXPECT_EQ(response.Get(":status"), "200");
    EXPECT_EQ(response.body.size(), 100'000u);
  }
}

TEST_F(HttpListenerTest, OldTlsAndOtherProtocolsAreRefused) {
  Start();
  EXPECT_FALSE(TlsPeer(listener_->port(), {.max_version = TLS1_1_VERSION}).ok());
  EXPECT_FALSE(TlsPeer(listener_->port(), {.alpn = std::string("\x0a") + "bellwire/1"}).ok());
  EXPECT_FALSE(TlsPeer(listener_->port(), {.max_version = TLS1_2_VERSION}).Renegotiate());
}

TEST_F(HttpListenerTest, WithoutAlpnTheFirstBytesTell) {
  Start();
  TlsPeer http2(listener_->port(), {.alpn = ""});
  ASSERT_TRUE(http2.ok());
  H2TestClient client;
  EXPECT_EQ(http2.Ask(&client, PostFields("/echo"), "hello").body, "hello");

  TlsPeer slow(listener_->port(), {.alpn = ""});
  slow.Write("P");
  slow.Write("RI");
  H2TestClient slow_client;
  slow.Write(slow_client.Output().substr(3));
  EXPECT_EQ(slow.Ask(&slow_client, PostFields("/echo"), "hello").body, "hello");
}

TEST_F(HttpListenerTest, Http1IsToldWhatIsServedHere) {
  Start();
  for (const std::string& alpn : {std::string("\x08http/1.1"), std::string()}) {
    TlsPeer peer(listener_->port(), {.alpn = alpn});
    ASSERT_TRUE(peer.ok());
    EXPECT_EQ(peer.alpn(), alpn.empty() ? "" : "http/1.1");
    peer.Write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const std::string answer = peer.ReadAll();
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 505 ")) << answer;
    EXPECT_TRUE(absl::StrContains(answer, "HTTP/2")) << answer;
  }
}

TEST_F(HttpListenerTest, ANewCertificateIsForNewConnections) {
  Start();
  const auto before = Connect();
  const net::TlsTestIdentity renewed = net::TlsTestIdentity::Make();
  listener_->UseTls(Tls(renewed));
  const auto after = Connect();
  EXPECT_NE(before->CertificateDer(), after->CertificateDer());
  for (TlsPeer* peer : {before.get(), after.get()}) {
    H2TestClient client;
    EXPECT_EQ(peer->Ask(&client, PostFields("/echo"), "hello").body, "hello");
  }
}

TEST_F(HttpListenerTest, ConnectionsAreBoundedAndComeFreeAgain) {
  Start(/*max_connections=*/20);
  std::vector<std::unique_ptr<TlsPeer>> peers;
  // One address may have half of them, and those that were used keep their places.
  for (int i = 0; i < 10; ++i) {
    peers.push_back(Connect());
    H2TestClient client;
    EXPECT_EQ(peers.back()->Ask(&client, PostFields("/echo"), "hello").body, "hello") << i;
  }
  EXPECT_FALSE(Connect()->ok());
  peers.pop_back();
  // As soon as the listener has seen it go.
  std::unique_ptr<TlsPeer> next;
  do {
    next = Connect();
  } while (!next->ok());
  H2TestClient client;
  EXPECT_EQ(next->Ask(&client, PostFields("/echo"), "hello").body, "hello");
}

TEST_F(HttpListenerTest, WhoSaysNothingKeepsNobodyOut) {
  Start(/*max_connections=*/20);
  std::vector<int> silent;
  const net::SocketAddress address = *net::NumericAddress("127.0.0.1", listener_->port());
  for (int i = 0; i < 200; ++i) {
    silent.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(silent.back(), address.get(), address.size), 0);
  }
  const auto peer = Connect();
  ASSERT_TRUE(peer->ok());
  H2TestClient client;
  EXPECT_EQ(peer->Ask(&client, PostFields("/echo"), "hello").body, "hello");
  EXPECT_LE(listener_->connections(), 12u);
  for (const int fd : silent) close(fd);
}

TEST_F(HttpListenerTest, AnAnswerFromAnotherThreadIsSent) {
  Start();
  door_.Hold();
  std::thread registry([this] { door_.WaitForHeldAndRelease(); });
  const auto peer = Connect();
  H2TestClient client;
  EXPECT_EQ(peer->Ask(&client, PostFields("/echo"), "hello").body, "hello");
  registry.join();
}

// Sixteen connections have more to do than the thread has time for. Whoever asks little waits for the
// turn of one of them, and not of all.
TEST_F(HttpListenerTest, BusyConnectionsTakeTurnsAndWhoAsksLittleGoesFirst) {
  constexpr int kConnections = 16;
  constexpr int kRequests = 60;
  WorkDoor door(/*stop_at=*/kConnections * kRequests / 2);
  auto started = HttpListener::Start(
      {.address = "127.0.0.1:0", .tls = Tls(identity_), .doors = {&door}, .threads = 1});
  ASSERT_TRUE(started.ok()) << started.status();
  std::vector<std::unique_ptr<TlsPeer>> busy;
  std::vector<std::unique_ptr<H2TestClient>> clients;
  for (int i = 0; i < kConnections; ++i) {
    busy.push_back(std::make_unique<TlsPeer>((*started)->port()));
    ASSERT_TRUE(busy.back()->ok());
    clients.push_back(std::make_unique<H2TestClient>());
    for (int n = 0; n < kRequests; ++n) clients.back()->Request(GetFields("/work"));
  }
  TlsPeer quiet((*started)->port());
  ASSERT_TRUE(quiet.ok());
  H2TestClient client;
  EXPECT_EQ(quiet.Ask(&client, GetFields("/mark")).Get(":status"), "200");

  for (int i = 0; i < kConnections; ++i) busy[i]->Write(clients[i]->Output());
  door.stopped.WaitForNotification();
  const int32_t mark = client.Request(GetFields("/mark"));
  quiet.Write(client.Output());
  door.go_on.Notify();
  while (!client.response(mark).closed) {
    const std::string piece = quiet.Read();
    ASSERT_FALSE(piece.empty());
    client.Input(piece);
  }
  const int waited = door.served_before_mark - kConnections * kRequests / 2;
  EXPECT_LE(waited, 2 * kMaxHttpRequestsPerTurn) << "of " << kConnections << " busy connections";
}

TEST_F(HttpListenerTest, ADrainLetsARequestFinish) {
  Start();
  door_.Hold();
  const auto peer = Connect();
  H2TestClient client;
  H2TestClient::Response response;
  std::thread asking([&] { response = peer->Ask(&client, PostFields("/echo"), "hello"); });
  door_.WaitForHeld();
  std::thread drain([this] { listener_->Drain(absl::InfiniteDuration()); });
  door_.WaitForHeldAndRelease();
  asking.join();
  drain.join();
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(listener_->connections(), 0u);
  EXPECT_FALSE(Connect()->ok());
}

TEST_F(HttpListenerTest, ADrainEndsWhatTakesTooLong) {
  Start();
  door_.Hold();
  const auto peer = Connect();
  const auto silent = Connect();
  H2TestClient client;
  H2TestClient::Response response;
  std::thread asking([&] { response = peer->Ask(&client, PostFields("/echo"), "hello"); });
  door_.WaitForHeld();
  listener_->Drain(absl::Milliseconds(10));
  asking.join();
  EXPECT_EQ(response.Get(":status"), "503");
  EXPECT_EQ(listener_->connections(), 0u);
}

TEST_F(HttpListenerTest, SilentSocketsDoNotHoldUpADrain) {
  Start();
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const net::SocketAddress address = *net::NumericAddress("127.0.0.1", listener_->port());
  ASSERT_EQ(connect(fd, address.get(), address.size), 0);
  const auto peer = Connect();
  H2TestClient client;
  peer->Ask(&client, PostFields("/echo"), "hello");  // So the silent one was accepted.
  listener_->Drain(absl::InfiniteDuration());
  EXPECT_EQ(listener_->connections(), 0u);
  close(fd);
}

TEST_F(HttpListenerTest, ATakenPortIsAnError) {
  Start();
  const auto second = HttpListener::Start(
      {.address = absl::StrCat("127.0.0.1:", listener_->port()), .tls = Tls(identity_)});
  EXPECT_EQ(ErrorReason(second.status()), "CANNOT_LISTEN");
}

TEST(HttpConnectionsForTest, LeavesDescriptorsToOthers) {
  EXPECT_EQ(HttpConnectionsFor(1'000'000), kMaxHttpConnections);
  EXPECT_LT(HttpConnectionsFor(1024), 1024u / 3);
  EXPECT_LT(HttpConnectionsFor(20'000), 20'000u / 30);
}

}  // namespace
}  // namespace bellwire::http
