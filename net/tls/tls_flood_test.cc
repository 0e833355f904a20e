// What a peer can send at no cost of its own is bounded for us too.

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/run_loop_until.h"
#include "net/simulated/test_peer.h"
#include "net/socket/address.h"
#include "net/socket/close_reason.h"
#include "net/tls/tls_server.h"
#include "net/tls/tls_test_identity.h"

namespace bellwire::net {
namespace {

class TlsFloodTest : public testing::Test {
 protected:
  // The floods end with a connection that the server has closed.
  static void SetUpTestSuite() { signal(SIGPIPE, SIG_IGN); }

  TlsFloodTest() {
    auto listener = TlsServer::Listen(&loop_, TlsTestIdentity::Make().ServerContext(),
                                      "127.0.0.1:0", [this](std::unique_ptr<Stream> stream) {
                                        peer_ = std::make_unique<TestPeer>();
                                        peer_->Take(std::move(stream));
                                      });
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  int Connect() {
    const auto parts = ParseHostPort(listener_->address());
    const auto target = NumericAddress(parts->host, parts->port);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd, target->get(), target->size), 0);
    return fd;
  }
  // Runs `talk` on a blocking TLS connection, beside the loop, until `condition`.
  void Talk(const std::function<void(SSL*)>& talk, const std::function<bool()>& condition) {
    std::thread client([this, talk] {
      const int fd = Connect();
      SSL_CTX* const ctx = SSL_CTX_new(TLS_client_method());
      static constexpr unsigned char kAlpnList[] =
          "\x0a"
          "bellwire/1";
      SSL_CTX_set_alpn_protos(ctx, kAlpnList, sizeof(kAlpnList) - 1);
      SSL* const ssl = SSL_new(ctx);
      SSL_set_fd(ssl, fd);
      EXPECT_EQ(SSL_connect(ssl), 1);
      talk(ssl);
      // Until the other end closes.
      char byte;
      while (SSL_read(ssl, &byte, 1) > 0) {
      }
      SSL_free(ssl);
      SSL_CTX_free(ctx);
      close(fd);
    });
    EXPECT_TRUE(RunLoopUntil(&loop_, condition));
    peer_->stream->Close();
    peer_.reset();
    RunLoopUntil(&loop_, [] { return true; });
    // What lingers ends by itself.
    std::thread loop([this] { loop_.Run(); });
    client.join();
    loop_.Stop();
    loop.join();
  }
  static void UpdateKeys(SSL* ssl, int times) {
    for (int i = 0; i < times; ++i) {
      if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1) return;
      if (SSL_do_handshake(ssl) != 1) return;  // It is closed.
    }
  }

  EpollLoop loop_{RealClock()};
  std::unique_ptr<TlsServer> listener_;
  std::unique_ptr<TestPeer> peer_;
};

TEST_F(TlsFloodTest, AFloodOfKeyUpdatesEndsItsConnection) {
  Talk([](SSL* ssl) { UpdateKeys(ssl, 20 * kMaxTlsKeyUpdates); },
       [this] { return peer_ != nullptr && peer_->closed > 0; });
}

TEST_F(TlsFloodTest, HonestKeyUpdatesAreTaken) {
  Talk(
      [](SSL* ssl) {
        UpdateKeys(ssl, kMaxTlsKeyUpdates);
        SSL_write(ssl, "hello", 5);
      },
      [this] { return peer_ != nullptr && peer_->received == "hello"; });
}

TEST_F(TlsFloodTest, AClientHelloInThousandsOfRecordsIsCutShort) {
  const int fd = Connect();
  // A handshake message of 98,304 bytes, each in a record of its own.
  std::string records;
  for (size_t i = 0; records.size() < 2 * kMaxHandshakeBytes; ++i) {
    static constexpr char kHeader[] = {1, 1, '\x80', 0};
    records.append("\x16\x03\x01\x00\x01", 5);
    records.push_back(i < sizeof(kHeader) ? kHeader[i] : 'x');
  }
  ASSERT_EQ(send(fd, records.data(), records.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(records.size()));
  EXPECT_TRUE(RunLoopUntil(&loop_, [this] { return peer_ != nullptr && peer_->closed > 0; }));
  EXPECT_EQ(peer_->reason, kTlsError);
  close(fd);
}

// One connection's small records are no reason for the others to wait.
TEST_F(TlsFloodTest, OthersHaveTheirTurnBetweenSmallRecords) {
  constexpr int kRecords = 3000;
  int seen = 0, most = 0;
  std::function<void()> each_turn = [&] {
    if (peer_ != nullptr) {
      most = std::max(most, peer_->pieces - seen);
      seen = peer_->pieces;
    }
    loop_.Post([&] { each_turn(); });
  };
  each_turn();
  Talk(
      [](SSL* ssl) {
        for (int i = 0; i < kRecords; ++i) SSL_write(ssl, "x", 1);
      },
      [&] { return peer_ != nullptr && peer_->pieces == kRecords; });
  each_turn = [] {};
  // Two turns of the connection may lie between two of what was posted.
  EXPECT_LE(most, 2 * kMaxTlsReadsPerTurn);
}

}  // namespace
}  // namespace bellwire::net
