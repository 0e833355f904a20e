// The listener on real sockets: TLS and its versions, which HTTP is spoken, bounds of connections,
// new certificates, drains. What happens on one connection is tested beside H2Connection.

#include "gateway/doors/http/http_listener.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
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
#include "gateway/doors/http/proxy/proxy_prefaces.h"
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
    // What ends the handshake leaves with the first Write.
    bool keeps_last_flight = false;
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
    if (options.keeps_last_flight) {
      ok_ = ok_ && ConnectButForTheLastFlight();
    } else {
      ok_ = ok_ && SSL_connect(ssl_) == 1;
    }
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
    if (!kept_.empty()) {
      const std::string kept = std::exchange(kept_, std::string());
      ASSERT_EQ(send(fd_, kept.data(), kept.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(kept.size()));
    }
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
  bool ConnectButForTheLastFlight() {
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl_, out);
    for (bool done = false; !done;) {
      SSL_set0_rbio(ssl_, BIO_new_socket(fd_, BIO_NOCLOSE));
      std::string flight;
      // The first flight waits for no answer, and a blocking read would.
      if (SSL_in_before(ssl_) == 1) {
        SSL_set0_rbio(ssl_, BIO_new(BIO_s_mem()));
        BIO_set_mem_eof_return(SSL_get_rbio(ssl_), -1);
      }
      done = SSL_connect(ssl_) == 1;
      flight.resize(BIO_ctrl_pending(out));
      if (!flight.empty()) BIO_read(out, flight.data(), static_cast<int>(flight.size()));
      if (done) {
        kept_ = std::move(flight);
      } else if (flight.empty() || send(fd_, flight.data(), flight.size(), MSG_NOSIGNAL) < 0) {
        return false;
      }
    }
    SSL_set0_wbio(ssl_, BIO_new_socket(fd_, BIO_NOCLOSE));
    return true;
  }

  SSL_CTX* const context_;
  SSL* ssl_;
  int fd_;
  bool ok_ = false;
  std::string kept_;
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

// Each request of "/work" costs the thread a tenth of a millisecond, and the one that is told to
// stops it there. "/mark" notes how many were served before.
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
  void Start(size_t max_connections = 0, int threads = 2) {
    auto started = HttpListener::Start(
        {.ports = {{.address = "127.0.0.1:0", .tls = Tls(identity_), .doors = {&door_}}},
         .threads = threads,
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

// A client of HTTP/1.1: one request, and its answer of a known length.
std::string AskHttp1(TlsPeer* peer, const std::string& path, const std::string& body) {
  peer->Write(absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: ",
                           body.size(), "\r\n\r\n", body));
  std::string answer;
  // The echo is chunked.
  while (!absl::EndsWith(answer, "0\r\n\r\n")) {
    const std::string piece = peer->Read();
    if (piece.empty()) break;
    answer += piece;
  }
  return answer;
}

TEST_F(HttpListenerTest, ServesHttp1ByAlpnAndByItsFirstBytes) {
  Start();
  for (const std::string& alpn :
       {std::string("\x08http/1.1"), std::string("\x08http/1.0"), std::string()}) {
    TlsPeer peer(listener_->port(), {.alpn = alpn});
    ASSERT_TRUE(peer.ok());
    EXPECT_EQ(peer.alpn(), alpn.empty() ? "" : alpn.substr(1));
    for (const char* body : {"hello", "again"}) {
      const std::string answer = AskHttp1(&peer, "/echo", body);
      EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200 OK\r\n")) << answer;
      EXPECT_TRUE(absl::StrContains(answer, absl::StrCat("\r\n5\r\n", body, "\r\n"))) << answer;
    }
  }
}

TEST_F(HttpListenerTest, ALargeBodyAndPipelinedRequestsOfHttp1) {
  Start();
  TlsPeer peer(listener_->port(), {.alpn = "\x08http/1.1"});
  EXPECT_GT(AskHttp1(&peer, "/echo", std::string(1'000'000, 'x')).size(), 1'000'000u);
  // More than one read holds: the rest waits in the socket, and is taken when its turn has come.
  constexpr int kRequests = 3000;
  std::string many;
  for (int i = 0; i < kRequests; ++i) {
    many += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  }
  std::thread writer([&] { peer.Write(many); });
  std::string answers;
  int answered = 0;
  while (answered < kRequests) {
    const std::string piece = peer.Read();
    ASSERT_FALSE(piece.empty()) << answered;
    answers += piece;
    for (size_t end; (end = answers.find("0\r\n\r\n")) != std::string::npos; ++answered) {
      answers.erase(0, end + 5);
    }
  }
  writer.join();
  EXPECT_EQ(answered, kRequests);
}

TEST_F(HttpListenerTest, WhatIsNoHttpIsClosed) {
  Start();
  TlsPeer peer(listener_->port(), {.alpn = ""});
  peer.Write(std::string("\x10\x10\x00\x04MQTT", 8));
  EXPECT_EQ(peer.ReadAll(), "");
}

// Plain bytes, on a blocking socket.
class ClearPeer {
 public:
  explicit ClearPeer(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const net::SocketAddress address = *net::NumericAddress("127.0.0.1", port);
    ok_ = connect(fd_, address.get(), address.size) == 0;
  }
  explicit ClearPeer(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ok_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~ClearPeer() { close(fd_); }
  bool ok() const { return ok_; }
  void Write(absl::string_view data) { send(fd_, data.data(), data.size(), MSG_NOSIGNAL); }
  std::string Read() {
    char buffer[16 * 1024];
    const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }
  std::string ReadAll() {
    std::string all;
    for (std::string piece = Read(); !piece.empty(); piece = Read()) all += piece;
    return all;
  }

 private:
  const int fd_;
  bool ok_ = false;
};

// Says who it thinks asks, and how.
class WhoDoor final : public Door {
 public:
  bool Matches(const RequestHead&) const override { return true; }
  std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) override {
    exchange->Respond(200, {});
    exchange->Write(absl::StrCat(exchange->head().scheme, " ", exchange->peer()));
    exchange->End();
    return nullptr;
  }
};

constexpr absl::string_view kLastGet =
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n";

TEST_F(HttpListenerTest, ClearTextPortsServeBothVersionsBesideOthers) {
  // The path of a socket is short.
  std::string directory = "/tmp/bellwire-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = absl::StrCat(directory, "/http.sock");
  WhoDoor who;
  auto started = HttpListener::Start(
      {.ports = {{.address = "127.0.0.1:0", .tls = Tls(identity_), .doors = {&who}},
                 {.address = "127.0.0.1:0",
                  .doors = {&who},
                  .trusted_proxies = *net::CidrList::Parse({"127.0.0.1"})},
                 {.address = "127.0.0.1:0", .doors = {&who}},
                 {.address = absl::StrCat("unix:", path),
                  .doors = {&who},
                  .trusted_proxies = *net::CidrList::Parse({"127.0.0.1"})}},
       .threads = 2});
  ASSERT_TRUE(started.ok()) << started.status();
  HttpListener& listener = **started;
  TlsPeer tls(listener.port(0));
  H2TestClient client;
  EXPECT_TRUE(absl::StartsWith(tls.Ask(&client, GetFields("/")).body, "https 127.0.0.1:"));

  ClearPeer trusted(listener.port(1));
  trusted.Write(kLastGet);
  EXPECT_TRUE(absl::StrContains(trusted.ReadAll(), "http 203.0.113.7:0"));
  ClearPeer stranger(listener.port(2));
  stranger.Write(kLastGet);
  EXPECT_TRUE(absl::StrContains(stranger.ReadAll(), "http 127.0.0.1:"));
  ClearPeer local(path);
  ASSERT_TRUE(local.ok());
  local.Write(kLastGet);
  EXPECT_TRUE(absl::StrContains(local.ReadAll(), "http 203.0.113.7:0"));

  // HTTP/2 with prior knowledge.
  ClearPeer h2(listener.port(1));
  H2TestClient h2_client;
  const int32_t id = h2_client.Request(GetFields("/", {{"forwarded", "for=203.0.113.8"}}));
  while (!h2_client.response(id).closed) {
    h2.Write(h2_client.Output());
    const std::string piece = h2.Read();
    ASSERT_FALSE(piece.empty());
    h2_client.Input(piece);
  }
  EXPECT_TRUE(absl::EndsWith(h2_client.response(id).body, " 203.0.113.8:0"));
  // TLS to a port that has none.
  EXPECT_FALSE(TlsPeer(listener.port(2)).ok());
  started->reset();
  EXPECT_EQ(rmdir(directory.c_str()), 0) << "the socket's file goes with it";
}

TEST_F(HttpListenerTest, ALoadBalancerSaysWhoseConnectionItIs) {
  WhoDoor who;
  const net::CidrList all_v4 = *net::CidrList::Parse({"127.0.0.0/8"});
  auto started = HttpListener::Start(
      {.ports = {{.address = "127.0.0.1:0", .doors = {&who}, .proxy_protocol_from = all_v4}},
       .threads = 2});
  ASSERT_TRUE(started.ok()) << started.status();
  const uint16_t port = (*started)->port();
  ClearPeer peer(port);
  peer.Write("PROXY TCP4 203.0.113.7 192.0.2.1 5");
  peer.Write(absl::StrCat("6324 443\r\n", kLastGet));
  EXPECT_TRUE(absl::StrContains(peer.ReadAll(), "http 203.0.113.7:56324"));
  ClearPeer second(port);
  second.Write(absl::StrCat(
      absl::string_view("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x08\xc0\0\2\1\xdc\4\1\xbb",
                        28),
      kLastGet));
  EXPECT_TRUE(absl::StrContains(second.ReadAll(), "http 203.0.113.8:56324"));
  // Whoever sends none isn't one of them.
  ClearPeer none(port);
  none.Write(kLastGet);
  EXPECT_EQ(none.ReadAll(), "");
  // Sockets that say nothing keep nobody out, and don't hold up the end.
  std::vector<std::unique_ptr<ClearPeer>> silent;
  for (size_t i = 0; i < kMaxProxyPrefaces + 10; ++i) {
    silent.push_back(std::make_unique<ClearPeer>(port));
  }
  ClearPeer third(port);
  third.Write(absl::StrCat("PROXY UNKNOWN\r\n", kLastGet));
  EXPECT_TRUE(absl::StrContains(third.ReadAll(), "http 127.0.0.1:"));
  (*started)->Drain(absl::InfiniteDuration());
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
  // As soon as each thread has closed those that made room.
  while (listener_->connections() > 12u) std::this_thread::yield();
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

// Sixteen connections have more to do than the thread has time for. Whoever asks little waits for
// the turn of one of them, and not of all.
TEST_F(HttpListenerTest, BusyConnectionsTakeTurnsAndWhoAsksLittleGoesFirst) {
  constexpr int kConnections = 16;
  constexpr int kRequests = 60;
  WorkDoor door(/*stop_at=*/kConnections * kRequests / 2);
  auto started = HttpListener::Start(
      {.ports = {{.address = "127.0.0.1:0", .tls = Tls(identity_), .doors = {&door}}},
       .threads = 1});
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
  // All of them have 480 left. The kernel may run the server before the quiet one's request
  // arrives.
  EXPECT_LE(waited, 4 * kMaxHttpRequestsPerTurn) << "of " << kConnections << " busy connections";
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

TEST_F(HttpListenerTest, ADrainTellsHttp1ToGoElsewhere) {
  // One thread hears of the drain for both connections at once.
  Start(/*max_connections=*/0, /*threads=*/1);
  TlsPeer idle(listener_->port(), {.alpn = "\x08http/1.1"});
  EXPECT_TRUE(absl::StartsWith(AskHttp1(&idle, "/echo", "hello"), "HTTP/1.1 200 "));
  door_.Hold();
  TlsPeer peer(listener_->port(), {.alpn = "\x08http/1.1"});
  std::string answer;
  std::thread asking([&] { answer = AskHttp1(&peer, "/echo", "hello"); });
  door_.WaitForHeld();
  std::thread drain([this] { listener_->Drain(absl::InfiniteDuration()); });
  EXPECT_EQ(idle.ReadAll(), "") << "closed";
  door_.WaitForHeldAndRelease();
  asking.join();
  drain.join();
  EXPECT_TRUE(absl::StrContains(answer, "connection: close\r\n")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "\r\nhello\r\n")) << answer;
  EXPECT_EQ(listener_->connections(), 0u);
}

// A client that is through with the handshake has asked already. If the connection just ends, some
// clients (npm's firebase-admin) wait for ever.
TEST_F(HttpListenerTest, AHandshakeUnderWayIsToldOfADrainToo) {
  Start(/*max_connections=*/0, /*threads=*/1);
  TlsPeer idle(listener_->port(), {.alpn = "\x08http/1.1"});
  EXPECT_TRUE(absl::StartsWith(AskHttp1(&idle, "/echo", "hello"), "HTTP/1.1 200 "));
  TlsPeer peer(listener_->port(), {.keeps_last_flight = true});
  ASSERT_TRUE(peer.ok());
  std::thread drain([this] { listener_->Drain(absl::InfiniteDuration()); });
  EXPECT_EQ(idle.ReadAll(), "") << "its thread knows of the drain";
  H2TestClient client;
  const H2TestClient::Response response = peer.Ask(&client, PostFields("/echo"), "hello");
  drain.join();
  EXPECT_EQ(client.goaway(), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(response.closed);
  EXPECT_EQ(response.error, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(listener_->connections(), 0u);
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
  const auto second =
      HttpListener::Start({.ports = {{.address = absl::StrCat("127.0.0.1:", listener_->port()),
                                      .tls = Tls(identity_)}}});
  EXPECT_EQ(ErrorReason(second.status()), "CANNOT_LISTEN");
}

TEST(HttpConnectionsForTest, LeavesDescriptorsToOthers) {
  EXPECT_EQ(HttpConnectionsFor(1'000'000), kMaxHttpConnections);
  EXPECT_LT(HttpConnectionsFor(1024), 1024u / 3);
  EXPECT_LT(HttpConnectionsFor(20'000), 20'000u / 30);
}

}  // namespace
}  // namespace bellwire::http
