#include "net/socket/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

class SocketTest : public testing::Test {
 protected:
  static std::array<int, 2> Pair() {
    std::array<int, 2> fds;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    return fds;
  }
  ~SocketTest() override { close(peer_); }

  const std::array<int, 2> fds_ = Pair();
  Socket socket_{fds_[0]};
  const int peer_ = fds_[1];
  char buffer_[64 * 1024];
};

TEST_F(SocketTest, ReadingGoesOnWhenAnEdgeSaysSo) {
  EXPECT_TRUE(socket_.may_go_on());  // Nobody knows.
  socket_.OnEvents(EPOLLOUT);
  EXPECT_FALSE(socket_.may_go_on());
  ASSERT_EQ(write(peer_, "hello", 5), 5);
  EXPECT_EQ(socket_.Read(buffer_, sizeof(buffer_)), -1);  // Not asked: no edge has come.
  EXPECT_EQ(errno, EAGAIN);
  socket_.OnEvents(EPOLLIN | EPOLLOUT);
  EXPECT_TRUE(socket_.may_go_on());
  EXPECT_EQ(socket_.Read(buffer_, sizeof(buffer_)), 5);
  EXPECT_FALSE(socket_.may_go_on());  // It came short.
  socket_.OnEvents(0);
  EXPECT_FALSE(socket_.may_go_on());
}

TEST_F(SocketTest, WritingGoesOnWhenThereIsRoomAgain) {
  socket_.OnEvents(EPOLLOUT);
  const std::string much(sizeof(buffer_), 'x');
  while (socket_.Write(much.data(), much.size()) > 0) EXPECT_FALSE(socket_.may_go_on());
  ASSERT_EQ(errno, EAGAIN);
  EXPECT_FALSE(socket_.may_go_on());
  while (read(peer_, buffer_, sizeof(buffer_)) > 0) continue;
  socket_.OnEvents(EPOLLOUT);
  EXPECT_TRUE(socket_.may_go_on());
  EXPECT_GT(socket_.Write(much.data(), much.size()), 0);
  EXPECT_FALSE(socket_.may_go_on());
}

// A TCP connection to ourselves.
std::array<int, 2> TcpPair() {
  sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(bind(listener, any, size), 0);
  EXPECT_EQ(listen(listener, 1), 0);
  EXPECT_EQ(getsockname(listener, any, &size), 0);
  EXPECT_EQ(connect(client, any, size), 0);
  const int server = accept(listener, nullptr, nullptr);
  close(listener);
  return {client, server};
}

int Unsent(int fd) {
  int bytes = -1;
  EXPECT_EQ(ioctl(fd, SIOCOUTQNSD, &bytes), 0);
  return bytes;
}

TEST_F(SocketTest, WhatIsFollowedByMoreWaitsForIt) {
  const std::array<int, 2> pair = TcpPair();
  Socket socket(pair[0]);
  ASSERT_EQ(socket.Write("hel", 3, /*more_follows=*/true), 3);
  EXPECT_EQ(Unsent(pair[0]), 3);
  ASSERT_EQ(socket.Write("lo", 2), 2);
  EXPECT_EQ(Unsent(pair[0]), 0);
  ASSERT_EQ(socket.Write("hel", 3, /*more_follows=*/true), 3);
  ASSERT_EQ(Unsent(pair[0]), 3);
  socket.SendKept();
  EXPECT_EQ(Unsent(pair[0]), 0);
  close(pair[1]);
}

TEST_F(SocketTest, TheEndIsReadHoweverOftenEdgesCome) {
  ASSERT_EQ(shutdown(peer_, SHUT_RDWR), 0);
  socket_.OnEvents(EPOLLIN | EPOLLRDHUP | EPOLLHUP);
  EXPECT_EQ(socket_.Read(buffer_, sizeof(buffer_)), 0);
  socket_.OnEvents(EPOLLOUT);
  EXPECT_TRUE(socket_.may_go_on());
}

}  // namespace
}  // namespace bellwire::net
