#include "device-agent/companion/browser/socket_owner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

class SocketOwnerTest : public testing::Test {
 protected:
  SocketOwnerTest() {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    socklen_t size = sizeof address_;
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
  }
  ~SocketOwnerTest() override { close(listener_); }

  int Connect() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) == 0 ? fd : -1;
  }

  int listener_ = -1;
  sockaddr_in address_{};
};

TEST_F(SocketOwnerTest, IsTheUserThatConnected) {
  const int peer = Connect();
  ASSERT_GE(peer, 0);
  const int ours = accept(listener_, nullptr, nullptr);
  const absl::StatusOr<uid_t> owner = OwnerOfPeer(ours);
  ASSERT_TRUE(owner.ok()) << owner.status();
  EXPECT_EQ(*owner, getuid());
  close(peer);
  close(ours);
}

// Needs root: another user's process connects and waits until it has been looked at.
TEST_F(SocketOwnerTest, IsAnotherUser) {
  if (getuid() != 0) GTEST_SKIP() << "SKIPPED: becoming another user needs root";
  int done[2];
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(done[1]);
    if (setresuid(12345, 12345, 12345) != 0 || Connect() < 0) _exit(1);
    char end;
    _exit(read(done[0], &end, 1) == 0 ? 0 : 1);
  }
  close(done[0]);
  const int ours = accept(listener_, nullptr, nullptr);
  const absl::StatusOr<uid_t> owner = OwnerOfPeer(ours);
  ASSERT_TRUE(owner.ok()) << owner.status();
  EXPECT_EQ(*owner, 12345u);
  close(done[1]);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  close(ours);
}

// A socket that its process has closed belongs to nobody; the kernel shows it as root's.
TEST_F(SocketOwnerTest, AClosedSocketHasNoOwner) {
  const int peer = Connect();
  ASSERT_GE(peer, 0);
  const int ours = accept(listener_, nullptr, nullptr);
  close(peer);
  EXPECT_TRUE(absl::IsNotFound(OwnerOfPeer(ours).status())) << OwnerOfPeer(ours).status();
  close(ours);
}

constexpr char kTable[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 111 1\n"
    "   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001 0 222 1\n"
    "   2: 0100007F:C351 0100007F:1F90 05 00000000:00000000 00:00000000 00000000     0 0 0 1\n";

TEST(OwnerInProcNetTcp, FindsTheEndAndNoOther) {
  const uint32_t loopback = htonl(INADDR_LOOPBACK);
  const auto owner = [&](uint16_t local, uint16_t remote) {
    return OwnerInProcNetTcp(kTable, loopback, htons(local), loopback, htons(remote));
  };
  ASSERT_TRUE(owner(50000, 8080).ok());
  EXPECT_EQ(*owner(50000, 8080), 1001u);
  EXPECT_FALSE(owner(8080, 50000).ok());
  EXPECT_FALSE(owner(50002, 8080).ok());
  // Closing: no process holds it.
  EXPECT_FALSE(owner(50001, 8080).ok());
}

}  // namespace
}  // namespace bellwire::companion
