#include "net/dial/tcp_connector.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "net/loop/run_loop_until.h"
#include "net/socket/close_reason.h"
#include "net/socket/tcp_socket.h"

namespace bellwire::net {
namespace {

// A port of the loopback that listens, and can be made a black hole.
class Listener {
 public:
  explicit Listener(const std::string& host) : fd_(socket(Family(host), SOCK_STREAM, 0)) {
    address_ = *NumericAddress(host, 0);
    EXPECT_EQ(bind(fd_, address_.get(), address_.size), 0);
    EXPECT_EQ(listen(fd_, 0), 0);
    address_.size = sizeof(address_.storage);
    EXPECT_EQ(getsockname(fd_, address_.get(), &address_.size), 0);
  }
  ~Listener() {
    Stop();
    for (const int fd : fillers_) close(fd);
  }
  // From now on connecting is refused.
  void Stop() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // From now on the kernel drops what comes: nobody accepts, and the queue is full.
  void BecomeBlackHole() {
    for (int i = 0; i < 4; ++i) {
      fillers_.push_back(socket(address_.family(), SOCK_STREAM | SOCK_NONBLOCK, 0));
      connect(fillers_.back(), address_.get(), address_.size);
    }
  }
  const SocketAddress& address() const { return address_; }

 private:
  static int Family(const std::string& host) { return NumericAddress(host, 0)->family(); }

  int fd_;
  SocketAddress address_;
  std::vector<int> fillers_;
};

class TcpConnectorTest : public testing::Test {
 protected:
  // Where a race between these leads: "127.0.0.1:80", or the reason of its failure.
  std::string Race(const std::vector<SocketAddress>& addresses) {
    std::optional<absl::StatusOr<int>> result;
    TcpConnector connector(&loop_, addresses,
                           [&result](absl::StatusOr<int> fd) { result = std::move(fd); });
    connector.Start();
    EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return result.has_value(); }));
    if (!result->ok()) return std::string(ErrorReason(result->status()));
    SocketAddress peer;
    peer.size = sizeof(peer.storage);
    EXPECT_EQ(getpeername(**result, peer.get(), &peer.size), 0);
    EXPECT_EQ(LocalHost(**result), peer.family() == AF_INET ? "127.0.0.1" : "::1");
    EXPECT_EQ(PeerReceivedAll(**result), true);
    close(**result);
    return FormatAddress(peer);
  }

  EpollLoop loop_{RealClock()};
};

TEST_F(TcpConnectorTest, ConnectsToTheFirst) {
  const Listener first("127.0.0.1");
  const Listener second("127.0.0.1");
  EXPECT_EQ(Race({first.address(), second.address()}), FormatAddress(first.address()));
}

TEST_F(TcpConnectorTest, OneThatRefusesCostsNoTime) {
  Listener first("127.0.0.1");
  const Listener second("127.0.0.1");
  first.Stop();
  EXPECT_EQ(Race({first.address(), second.address()}), FormatAddress(second.address()));
}

TEST_F(TcpConnectorTest, ABlackHoleCostsAQuarterOfASecond) {
  Listener first("127.0.0.1");
  const Listener second("127.0.0.1");
  first.BecomeBlackHole();
  const MonotonicTime start = RealClock()->Monotonic();
  EXPECT_EQ(Race({first.address(), second.address()}), FormatAddress(second.address()));
  EXPECT_GE(RealClock()->Monotonic() - start, kConnectionAttemptDelay);
}

TEST_F(TcpConnectorTest, WhenAllRefuseItFails) {
  Listener first("127.0.0.1");
  Listener second("127.0.0.1");
  first.Stop();
  second.Stop();
  EXPECT_EQ(Race({first.address(), second.address()}), kCannotConnect);
}

TEST_F(TcpConnectorTest, CancelledItCallsNobody) {
  const Listener listener("127.0.0.1");
  bool called = false;
  TcpConnector connector(&loop_, {listener.address()},
                         [&called](absl::StatusOr<int>) { called = true; });
  connector.Start();
  connector.Cancel();
  bool later = false;
  const auto timer = loop_.NewTimer([&later] { later = true; });
  timer->Arm(absl::Milliseconds(20));
  EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return later; }));
  EXPECT_FALSE(called);
}

TEST(TcpSocketTest, KnowsWhatTheKernelKnows) {
  const Listener listener("127.0.0.1");
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(fd, listener.address().get(), listener.address().size), 0);
  TuneTcpClient(fd, absl::Seconds(7));
  unsigned int timeout_ms = 0;
  socklen_t size = sizeof(timeout_ms);
  constexpr int kTcpUserTimeout = 18;
  ASSERT_EQ(getsockopt(fd, IPPROTO_TCP, kTcpUserTimeout, &timeout_ms, &size), 0);
  EXPECT_EQ(timeout_ms, 7000u);
  close(fd);

  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  EXPECT_EQ(PeerReceivedAll(pair[0]), std::nullopt);
  EXPECT_EQ(LocalHost(pair[0]), "");
  close(pair[0]);
  close(pair[1]);
}

}  // namespace
}  // namespace bellwire::net
