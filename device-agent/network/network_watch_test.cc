// What this kernel answers; that changes are heard is shown in network namespaces (tests/nat).
#include "device-agent/network/network_watch.h"

#include <sys/resource.h>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

TEST(NetworkWatchTest, KnowsThisMachine) {
  net::EpollLoop loop(RealClock());
  auto watch = NetworkWatch::Start(&loop, [] {});
  if (!watch.ok()) GTEST_SKIP() << watch.status();
  // Bazel's sandbox may have left nothing but the loopback, down.
  const auto path = (*watch)->monitor().PathOf("127.0.0.1");
  if (path.has_value()) {
    EXPECT_GT(path->interface, 0);
  }
  EXPECT_EQ((*watch)->monitor().deadline(), std::nullopt);
  EXPECT_EQ((*watch)->monitor().PathOf("192.0.2.199"), std::nullopt);
}

TEST(NetworkWatchTest, WithoutASocketItSaysSo) {
  net::EpollLoop loop(RealClock());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status status = NetworkWatch::Start(&loop, [] {}).status();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(ErrorReason(status), "NO_NETLINK") << status;
}

}  // namespace
}  // namespace bellwire::agent
