#include "net/socket/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/run_loop_until.h"
#include "net/socket/address.h"

namespace bellwire::net {
namespace {

// CPU time of this thread.
absl::Duration CpuTimeOf(absl::FunctionRef<void()> work) {
  rusage before, after;
  getrusage(RUSAGE_THREAD, &before);
  work();
  getrusage(RUSAGE_THREAD, &after);
  const auto cpu = [](const rusage& r) {
    return absl::DurationFromTimeval(r.ru_utime) + absl::DurationFromTimeval(r.ru_stime);
  };
  return cpu(after) - cpu(before);
}

class AcceptorTest : public testing::Test {
 protected:
  void SetUp() override {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address_ = *NumericAddress("127.0.0.1", 0);
    ASSERT_EQ(bind(fd, address_.get(), address_.size), 0);
    ASSERT_EQ(listen(fd, 128), 0);
    ASSERT_EQ(getsockname(fd, address_.get(), &address_.size), 0);
    acceptor_ = std::make_unique<Acceptor>(&loop_, fd, [this](int fd, const SocketAddress& peer) {
      EXPECT_EQ(peer.family(), AF_INET);
      fds_.push_back(fd);
      if (on_accept_) on_accept_();
    });
    ASSERT_TRUE(acceptor_->Start().ok());
  }
  void TearDown() override {
    for (const int fd : fds_) close(fd);
  }
  void Connect() {
    fds_.push_back(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(connect(fds_.back(), address_.get(), address_.size), 0);
  }

  EpollLoop loop_{RealClock()};
  SocketAddress address_;
  std::unique_ptr<Acceptor> acceptor_;
  absl::AnyInvocable<void()> on_accept_;
  // Both ends' descriptors.
  std::vector<int> fds_;
};

TEST_F(AcceptorTest, TakesMoreThanOneTurnsWorth) {
  for (int i = 0; i < 100; ++i) Connect();
  EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return fds_.size() == 200; }));
}

TEST_F(AcceptorTest, OutlivesRunningOutOfDescriptors) {
  Connect();
  Connect();
  // The next descriptor is one too many.
  const int highest = dup(0);
  ASSERT_GE(highest, 0);
  close(highest);
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old_limit), 0);
  rlimit low = old_limit;
  low.rlim_cur = static_cast<rlim_t>(highest);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);

  EXPECT_LT(CpuTimeOf([this] { RunLoopFor(&loop_, 3 * kAcceptBackOff); }), kAcceptBackOff)
      << "it must rest, not spin";
  EXPECT_EQ(fds_.size(), 2u) << "nobody was accepted";

  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old_limit), 0);
  EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return fds_.size() == 4; })) << "those who waited get in";
}

// A listener that is at fault is neither given up nor asked all the time.
TEST_F(AcceptorTest, ComesBackFromAnyError) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  SocketAddress address = *NumericAddress("127.0.0.1", 0);
  ASSERT_EQ(bind(fd, address.get(), address.size), 0);
  ASSERT_EQ(getsockname(fd, address.get(), &address.size), 0);
  int accepted = 0;
  Acceptor acceptor(&loop_, fd, [&](int fd, const SocketAddress&) {
    ++accepted;
    close(fd);
  });
  ASSERT_TRUE(acceptor.Start().ok());
  // It doesn't listen, so that each accept is EINVAL.
  EXPECT_LT(CpuTimeOf([this] { RunLoopFor(&loop_, 3 * kAcceptBackOff); }), kAcceptBackOff);
  ASSERT_EQ(listen(fd, 1), 0);
  fds_.push_back(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(connect(fds_.back(), address.get(), address.size), 0);
  EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return accepted == 1; }));
}

TEST_F(AcceptorTest, MayBeDeletedWhenItAccepts) {
  Connect();
  Connect();
  on_accept_ = [this] {
    if (acceptor_ != nullptr) loop_.DeleteLater(std::move(acceptor_));
  };
  RunLoopFor(&loop_, absl::Milliseconds(20));
  EXPECT_EQ(fds_.size(), 3u) << "one end each, and the one accepted";
}

}  // namespace
}  // namespace bellwire::net
