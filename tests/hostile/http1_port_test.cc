// Hostile peers that speak HTTP/1 at a port of a real `bellwire serve`. While each is at it, the
// Sends of others are served in time, and the server's memory and threads stay bounded.

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/host_port.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"
#include "tests/hostile/bystander.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

constexpr char kMail[] = "com.example.mail";
constexpr size_t kMiB = 1024 * 1024;
constexpr absl::Duration kFlood = absl::Seconds(5);
// A server that is busy with others takes a hostile peer's bytes late, or never.
constexpr absl::Duration kImpatience = absl::Seconds(3);
// Whatever a peer leaves unfinished, the server ends within this time.
constexpr absl::Duration kEnds = absl::Seconds(60);
constexpr absl::string_view kGet = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

// A client over TLS without ALPN, which writes what it is told and drops what it reads.
class Http1Peer {
 public:
  // Null: the server refuses the connection.
  static std::unique_ptr<Http1Peer> Connect(const std::string& address, bool reads = true) {
    std::unique_ptr<Http1Peer> peer(new Http1Peer(reads));
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(ParseHostPort(address)->port);
    if (connect(peer->fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) return nullptr;
    if (SSL_connect(peer->ssl_) != 1) return nullptr;
    fcntl(peer->fd_, F_SETFL, O_NONBLOCK);
    return peer;
  }
  ~Http1Peer() {
    SSL_free(ssl_);
    close(fd_);
    SSL_CTX_free(context_);
  }

  // False: the server closed the connection, or took no more for `patience`.
  bool Write(absl::string_view bytes, absl::Duration patience) {
    const MonotonicTime end = RealClock()->Monotonic() + patience;
    while (!bytes.empty() && Drain()) {
      const int n = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
      if (n > 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
      } else if (SSL_get_error(ssl_, n) != SSL_ERROR_WANT_WRITE &&
                 SSL_get_error(ssl_, n) != SSL_ERROR_WANT_READ) {
        closed_ = true;
      } else if (RealClock()->Monotonic() >= end) {
        return false;
      } else {
        Wait(POLLOUT | (reads_ ? POLLIN : 0), absl::Milliseconds(100));
      }
    }
    return !closed_;
  }
  // Reads on until the server closes the connection; false if it didn't for so long.
  bool Ends(absl::Duration patience) {
    const MonotonicTime end = RealClock()->Monotonic() + patience;
    reads_ = true;
    while (Drain()) {
      if (RealClock()->Monotonic() >= end) return false;
      Wait(POLLIN, absl::Milliseconds(100));
    }
    return true;
  }
  bool closed() const { return closed_; }

 private:
  explicit Http1Peer(bool reads)
      : reads_(reads),
        fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
  }
  void Wait(int events, absl::Duration patience) const {
    pollfd poll_fd = {.fd = fd_, .events = static_cast<short>(events), .revents = 0};
    poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(patience)));
  }
  // What is there to read. False: closed.
  bool Drain() {
    char buffer[16 * 1024];
    while (reads_ && !closed_) {
      const int n = SSL_read(ssl_, buffer, sizeof(buffer));
      if (n > 0) continue;
      if (SSL_get_error(ssl_, n) == SSL_ERROR_WANT_READ) break;
      closed_ = true;
    }
    return !closed_;
  }

  bool reads_;
  const int fd_;
  SSL_CTX* const context_;
  SSL* ssl_;
  bool closed_ = false;
};

struct Attack {
  std::string name;
  // Answers false if the server let something go on that it should have ended.
  std::function<bool(const std::string& address)> run;
};

void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

// Lets `peers` write what `next` gives, in turns, until kFlood is over. One that is closed comes
// back with a new connection, as an attacker does.
void Flood(const std::string& address, int peers, const std::function<std::string()>& first,
           const std::function<std::string()>& next, bool reads = true) {
  const MonotonicTime end = RealClock()->Monotonic() + kFlood;
  std::vector<std::unique_ptr<Http1Peer>> all(static_cast<size_t>(peers));
  while (RealClock()->Monotonic() < end) {
    for (auto& peer : all) {
      if (peer == nullptr || peer->closed()) {
        peer = Http1Peer::Connect(address, reads);
        if (peer != nullptr) peer->Write(first(), kImpatience);
      }
      const absl::Duration patience = reads ? kImpatience : absl::Milliseconds(10);
      if (peer != nullptr) peer->Write(next(), patience);
    }
  }
}

std::string Nothing() { return ""; }

std::string ManyGets() {
  std::string many;
  for (int i = 0; i < 500; ++i) many.append(kGet.data(), kGet.size());
  return many;
}

bool AllEnd(const std::vector<std::unique_ptr<Http1Peer>>& peers) {
  const MonotonicTime end = RealClock()->Monotonic() + kEnds;
  return std::all_of(peers.begin(), peers.end(), [end](const auto& peer) {
    return peer == nullptr ||
           peer->Ends(std::max(absl::ZeroDuration(), end - RealClock()->Monotonic()));
  });
}

// `count` connections that write `bytes` and then nothing more, and must be ended.
bool Unfinished(const std::string& address, int count, const std::string& bytes) {
  std::vector<std::unique_ptr<Http1Peer>> peers;
  for (int i = 0; i < count; ++i) {
    peers.push_back(Http1Peer::Connect(address));
    if (peers.back() != nullptr) peers.back()->Write(bytes, kImpatience);
  }
  return AllEnd(peers);
}

std::vector<Attack> Attacks() {
  const std::string post = "POST /nowhere HTTP/1.1\r\nHost: a\r\n";
  return {
      {"PipelinedRequests",
       [](const std::string& address) {
         Flood(address, 4, Nothing, ManyGets);
         return true;
       }},
      {"AnswersThatNobodyReads",
       [](const std::string& address) {
         Flood(address, 100, Nothing, ManyGets, /*reads=*/false);
         return true;
       }},
      {"UnfinishedHeads",
       [](const std::string& address) {
         return Unfinished(address, 200,
                           "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(8000, 'x'));
       }},
      {"UnfinishedBodies",
       [post](const std::string& address) {
         return Unfinished(address, 200,
                           post + "Content-Length: 1000000\r\n\r\n" + std::string(8000, 'x'));
       }},
      {"HugeHeads",
       [](const std::string& address) {
         Flood(address, 4, Nothing, [] {
           return "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(60'000, 'x') + "\r\n\r\n";
         });
         return true;
       }},
      {"TinyChunks",
       [post](const std::string& address) {
         const auto begin = [post] { return post + "Transfer-Encoding: chunked\r\n\r\n"; };
         Flood(address, 4, begin, [] {
           std::string chunks;
           for (int i = 0; i < 2000; ++i) chunks += "1;extension=1\r\nx\r\n";
           return chunks;
         });
         return true;
       }},
      {"Noise",
       [](const std::string& address) {
         std::mt19937 random(1);
         Flood(
             address, 4, [] { return std::string("GET "); },
             [&random] {
               std::string noise(4000, '\0');
               for (char& c : noise) c = static_cast<char>(random());
               return noise;
             });
         return true;
       }},
  };
}

class Http1PortTest : public testing::TestWithParam<Attack> {};

TEST_P(Http1PortTest, OthersAreServedInBoundedMemory) {
  auto fleet = Fleet::Start(Deployment::kEmbedded);
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  auto provider = Provider::Create(**fleet, {kMail});
  ASSERT_TRUE(provider.ok()) << provider.status();
  auto key = DeviceKey::Generate();
  ASSERT_TRUE(key.ok());
  auto device = RawDevice::Login((*fleet)->device_address(), (*fleet)->ca_file(), **key, 1);
  ASSERT_TRUE(device.ok()) << device.status();
  const absl::StatusOr<std::string> token = (*device)->RegisterApp(kMail);
  ASSERT_TRUE(token.ok()) << token.status();

  const pid_t pid = (*fleet)->gateway(0).pid();
  Bystander bystander(**fleet, *provider, *token);
  // The bystander's own connection and first Sends are not the attack's.
  ASSERT_TRUE(WaitUntil([&] { return bystander.served() >= 5; }));
  ResetPeak(pid);
  const ProcessSize before = SizeOf(pid);
  const bool ended = GetParam().run((*fleet)->provider_address());
  // Served throughout, and afterwards.
  const size_t served = bystander.served();
  EXPECT_TRUE(WaitUntil([&] { return bystander.served() >= served + 5; }));
  const Bystander::Report report = bystander.Stop();
  const ProcessSize after = SizeOf(pid);
  EXPECT_TRUE(ended) << "something was never ended";
  EXPECT_GE(report.served * 100, report.sent * 95)
      << report.served << " of " << report.sent << ", " << report.last_error;
  const size_t growth = after.peak_bytes - std::min(after.peak_bytes, before.resident_bytes);
  EXPECT_LE(growth, 96 * kMiB);
  std::cout << report.served << " of " << report.sent << " Sends served, the slowest after "
            << absl::FormatDuration(absl::Trunc(report.slowest, absl::Milliseconds(1))) << "; "
            << growth / kMiB << " MiB more" << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Attacks, Http1PortTest, testing::ValuesIn(Attacks()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bellwire::tests
