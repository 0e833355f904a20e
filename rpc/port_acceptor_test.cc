#include "rpc/port_acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

// The connections that an acceptor gave out.
class Accepted {
 public:
  ~Accepted() {
    absl::MutexLock lock(&mu_);
    for (const int fd : fds_) close(fd);
  }
  void Add(int fd) {
    absl::MutexLock lock(&mu_);
    fds_.push_back(fd);
  }
  void Await(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [this, count] {
      mu_.AssertHeld();
      return fds_.size() >= count;
    };
    mu_.Await(absl::Condition(&enough));
  }
  std::vector<int> fds() {
    absl::MutexLock lock(&mu_);
    return fds_;
  }

 private:
  absl::Mutex mu_;
  std::vector<int> fds_ ABSL_GUARDED_BY(mu_);
};

// A socket that connects to 127.0.0.1 at the port of `address`; it must get into the backlog.
int Connect(int fd, const std::string& address) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
}

int Connect(const std::string& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(Connect(fd, address), 0);
  return fd;
}

TEST(PortAcceptorTest, GivesOutConnections) {
  auto acceptor = PortAcceptor::Listen("127.0.0.1:0");
  ASSERT_TRUE(acceptor.ok()) << acceptor.status();
  Accepted accepted;
  (*acceptor)->Start([&](int fd) { accepted.Add(fd); });
  const int first = Connect((*acceptor)->address());
  accepted.Await(1);
  const int second = Connect((*acceptor)->address());
  accepted.Await(2);
  EXPECT_NE(fcntl(accepted.fds()[0], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(accepted.fds()[0], F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_TRUE((*acceptor)->Responds(absl::InfiniteDuration()));
  (*acceptor)->Stop();
  EXPECT_TRUE((*acceptor)->Responds(absl::ZeroDuration()));
  // Whoever comes now is refused at once.
  const int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(Connect(late, (*acceptor)->address()), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  close(late);
  close(first);
  close(second);
}

// What deafens gRPC's own listener for good.
TEST(PortAcceptorTest, OutlivesAMomentWithoutDescriptors) {
  auto acceptor = PortAcceptor::Listen("127.0.0.1:0");
  ASSERT_TRUE(acceptor.ok()) << acceptor.status();
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // Nothing above the descriptors in use may be opened from now on.
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(client) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  Accepted accepted;
  (*acceptor)->Start([&](int fd) { accepted.Add(fd); });
  ASSERT_EQ(Connect(client, (*acceptor)->address()), 0);
  // A turn that begins after the connection is there, and one more.
  EXPECT_TRUE((*acceptor)->Responds(absl::InfiniteDuration()));
  EXPECT_TRUE((*acceptor)->Responds(absl::InfiniteDuration()));
  EXPECT_TRUE(accepted.fds().empty());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  accepted.Await(1);
  close(client);
}

TEST(PortAcceptorTest, ConnectionsLeaveDescriptorsToFiles) {
  auto acceptor = PortAcceptor::Listen("127.0.0.1:0");
  ASSERT_TRUE(acceptor.ok()) << acceptor.status();
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // What is open takes three quarters.
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(client) + 1 + static_cast<rlim_t>(client) / 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  Accepted accepted;
  (*acceptor)->Start([&](int fd) { accepted.Add(fd); });
  ASSERT_EQ(Connect(client, (*acceptor)->address()), 0);
  pollfd closed = {.fd = client, .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&closed, 1, /*timeout_ms=*/30'000), 1) << "it was not closed";
  EXPECT_TRUE(accepted.fds().empty());
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(file, 0) << "and there is room for a file";
  close(file);
  close(client);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const int later = Connect((*acceptor)->address());
  accepted.Await(1);
  close(later);
}

TEST(PortAcceptorTest, AWatchdogSeesThatItIsStuck) {
  auto acceptor = PortAcceptor::Listen("127.0.0.1:0");
  ASSERT_TRUE(acceptor.ok()) << acceptor.status();
  absl::Mutex mu;
  mu.Lock();
  (*acceptor)->Start([&](int fd) {
    absl::MutexLock lock(&mu);
    close(fd);
  });
  const int client = Connect((*acceptor)->address());
  EXPECT_FALSE((*acceptor)->Responds(absl::Milliseconds(50)));
  mu.Unlock();
  EXPECT_TRUE((*acceptor)->Responds(absl::InfiniteDuration()));
  close(client);
}

TEST(PortAcceptorTest, TheWildcardTakesBothFamilies) {
  auto acceptor = PortAcceptor::Listen("0.0.0.0:0");
  ASSERT_TRUE(acceptor.ok()) << acceptor.status();
  EXPECT_EQ((*acceptor)->address().rfind("0.0.0.0:", 0), 0u) << (*acceptor)->address();
  Accepted accepted;
  (*acceptor)->Start([&](int fd) { accepted.Add(fd); });
  close(Connect((*acceptor)->address()));
  accepted.Await(1);
}

TEST(PortAcceptorTest, SaysWhyItCannotListen) {
  auto taken = PortAcceptor::Listen("127.0.0.1:0");
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(ErrorReason(PortAcceptor::Listen((*taken)->address()).status()), "CANNOT_LISTEN");
  EXPECT_EQ(ErrorReason(PortAcceptor::Listen("192.0.2.1:0").status()), "CANNOT_LISTEN");
  for (const char* bad : {"7443", "", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:-1",
                          "127.0.0.1:x", "127.0.0.1:123456"}) {
    EXPECT_EQ(ErrorReason(PortAcceptor::Listen(bad).status()), "BAD_ADDRESS") << bad;
  }
}

}  // namespace
}  // namespace bellwire
