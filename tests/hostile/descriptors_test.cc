// One moment without descriptors: every TCP port of every daemon serves again afterwards.

#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/support/fleet.h"
#include "tests/support/process.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

// In the words of a gRPC port (rpc/port_acceptor.h), or of one of ours (net/socket/acceptor.h).
bool SaysItCannotAccept(const std::string& log) {
  return absl::StrContains(log, "cannot_accept") || absl::StrContains(log, "accept_failed");
}

struct Port {
  std::string name;
  Process* process;
  std::string address;
  std::string ca_file;
  // Wire format.
  std::string alpn;
};

class DescriptorsTest : public testing::TestWithParam<Deployment> {};

TEST_P(DescriptorsTest, EveryPortOutlivesAMomentWithoutThem) {
  auto started = Fleet::Start(GetParam());
  ASSERT_TRUE(started.ok()) << started.status();
  Fleet& fleet = **started;
  const std::string internal_ca = fleet.data_dir() + "/internal/ca.pem";
  std::vector<Port> ports = {
      {"provider port", &fleet.gateway(0), fleet.provider_address(), fleet.ca_file(), "\x02h2"}};
  if (GetParam() == Deployment::kSeparate) {
    const std::vector<std::string> internal = fleet.internal_addresses();
    ports.push_back({"registry", &fleet.registry(), internal[0], internal_ca, "\x02h2"});
    ports.push_back({"connector", &fleet.connector(0), internal[1], internal_ca, "\x02h2"});
  }
  for (const Port& port : ports) {
    SCOPED_TRACE(port.name);
    // New ones are refused from now on; those that are open stay.
    const pid_t pid = port.process->pid();
    rlimit before;
    ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &before), 0);
    rlimit none = before;
    none.rlim_cur = 3;
    ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &none, nullptr), 0);
    std::vector<std::unique_ptr<RawConnection>> waiting;
    for (int i = 0; i < 8; ++i) {
      auto connection = RawConnection::ConnectTcp(port.address);
      ASSERT_TRUE(connection.ok()) << connection.status();
      waiting.push_back(*std::move(connection));
    }
    // It says what is wrong.
    EXPECT_TRUE(
        WaitUntil([&] { return SaysItCannotAccept(port.process->Log()); }, absl::Seconds(10)));
    ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &before, nullptr), 0);
    waiting.clear();
    const auto served =
        RawConnection::ConnectTls(port.address, {.ca_file = port.ca_file, .alpn = port.alpn});
    EXPECT_TRUE(served.ok()) << served.status();
    EXPECT_TRUE(port.process->running());
  }
}

INSTANTIATE_TEST_SUITE_P(Deployments, DescriptorsTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
