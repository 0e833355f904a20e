#include "device-agent/heartbeat/heartbeat_policy.h"

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

TEST(FixedHeartbeatTest, KeepsToTheServersBounds) {
  FixedHeartbeat policy(absl::Minutes(4));
  EXPECT_EQ(policy.interval(), absl::Minutes(4));
  policy.SetBounds({absl::Minutes(5), absl::Minutes(30)});
  EXPECT_EQ(policy.interval(), absl::Minutes(5));
  policy.SetBounds({absl::Seconds(10), absl::Minutes(1)});
  EXPECT_EQ(policy.interval(), absl::Minutes(1));
  policy.SetBounds({});
  EXPECT_EQ(policy.interval(), absl::Minutes(4));
}

TEST(FixedHeartbeatTest, KeepsToTheProtocolsBoundsBeforeTheServerSaysAny) {
  EXPECT_EQ(FixedHeartbeat(absl::Seconds(1)).interval(), kMinHeartbeatInterval);
  EXPECT_EQ(FixedHeartbeat(absl::Hours(9)).interval(), kMaxHeartbeatInterval);
}

}  // namespace
}  // namespace bellwire::agent
