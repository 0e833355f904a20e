#include "rpc/internal_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "common/clock.h"
#include "common/error.h"
#include "grpcpp/channel.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/test_pki.h"

namespace bellwire {
namespace {

class InternalPortTest : public ::testing::Test {
 protected:
  InternalPortTest() {
    auto port = InternalPort::Open("127.0.0.1:0", pki_.internal_dir(), Services());
    EXPECT_TRUE(port.ok()) << port.status();
    port_ = *std::move(port);
  }

  // One that answers UNIMPLEMENTED.
  static std::vector<std::unique_ptr<grpc::Service>> Services() {
    std::vector<std::unique_ptr<grpc::Service>> services;
    services.push_back(std::make_unique<internal::v1::Network::CallbackService>());
    return services;
  }

  // Whether a daemon gets through TLS and HTTP/2's opening.
  bool Serves() {
    auto credentials = InternalChannelCredentials(pki_.internal_dir());
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    return NewInternalChannel(port_->address(), *credentials, Role::kConnector)
        ->WaitForConnected(absl::ToChronoTime(RealClock()->WallNow() + absl::Seconds(30)));
  }

  const TestPki pki_;
  std::unique_ptr<InternalPort> port_;
};

TEST_F(InternalPortTest, ServesUntilItCloses) {
  EXPECT_TRUE(Serves());
  EXPECT_TRUE(port_->Responds(absl::InfiniteDuration()));
  port_->Close();
  port_->Close();
}

// A connector's port has no service of its own.
TEST_F(InternalPortTest, ServesHealthAlone) {
  auto port = InternalPort::Open("127.0.0.1:0", pki_.internal_dir(), {});
  ASSERT_TRUE(port.ok()) << port.status();
  port_ = *std::move(port);
  EXPECT_TRUE(Serves());
}

TEST_F(InternalPortTest, APortThatIsTakenIsAnError) {
  const auto second = InternalPort::Open(port_->address(), pki_.internal_dir(), Services());
  EXPECT_EQ(ErrorReason(second.status()), "CANNOT_LISTEN");
}

// gRPC's own listener was deaf from then on.
TEST_F(InternalPortTest, AMomentWithoutDescriptorsLeavesItServing) {
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(port_->address().substr(port_->address().rfind(':') + 1), &port));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // Descriptors below may be free; all of them are taken.
  std::vector<int> taken;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit little = before;
  little.rlim_cur = static_cast<rlim_t>(client) + 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &little), 0);
  for (int fd = dup(client); fd >= 0; fd = dup(client)) taken.push_back(fd);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_TRUE(port_->Responds(absl::InfiniteDuration()));
  EXPECT_TRUE(port_->Responds(absl::InfiniteDuration()));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  for (const int fd : taken) close(fd);
  EXPECT_TRUE(Serves());
  close(client);
}

}  // namespace
}  // namespace bellwire
