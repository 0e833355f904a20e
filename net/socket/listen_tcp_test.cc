#include "net/socket/listen_tcp.h"

#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "net/socket/address.h"

namespace bellwire::net {
namespace {

bool CanConnect(const std::string& host, uint16_t port) {
  const SocketAddress address = *NumericAddress(host, port);
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = connect(fd, address.get(), address.size) == 0;
  close(fd);
  return connected;
}

TEST(ListenTcpTest, EveryAddressIsOfBothFamilies) {
  for (const char* address : {":0", "0.0.0.0:0", "[::]:0"}) {
    const auto socket = ListenTcp(address);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_TRUE(CanConnect("127.0.0.1", socket->port)) << address;
    EXPECT_TRUE(CanConnect("::1", socket->port)) << address;
    close(socket->fd);
  }
}

TEST(ListenTcpTest, TakesAddressesAndNamesOfThisMachine) {
  for (const char* address : {"127.0.0.1:0", "localhost:0", "[::1]:0"}) {
    const auto socket = ListenTcp(address);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_GT(socket->port, 0);
    close(socket->fd);
  }
}

TEST(ListenTcpTest, SaysWhatIsWrong) {
  EXPECT_EQ(ErrorReason(ListenTcp("7443").status()), "BAD_ADDRESS");
  EXPECT_EQ(ErrorReason(ListenTcp("192.0.2.1:0").status()), "CANNOT_LISTEN");
  EXPECT_EQ(ErrorReason(ListenTcp("no-such-host.invalid:0").status()), "CANNOT_LISTEN");
  const auto first = ListenTcp("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const auto second = ListenTcp(absl::StrCat("127.0.0.1:", first->port));
  EXPECT_EQ(ErrorReason(second.status()), "CANNOT_LISTEN") << "two would share the connections";
  const auto third = ListenTcp(absl::StrCat(":", first->port));
  EXPECT_EQ(ErrorReason(third.status()), "CANNOT_LISTEN");
  close(first->fd);
}

}  // namespace
}  // namespace bellwire::net
