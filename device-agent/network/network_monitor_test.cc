#include "device-agent/network/network_monitor.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>
#include <string>

#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Kind = NetworkFact::Kind;

constexpr int kWlan = 2;
constexpr int kWwan = 3;

NetworkFact Link(int interface) { return {.kind = Kind::kLink, .interface = interface}; }
NetworkFact Address(int interface, const std::string& host) {
  return {Kind::kAddress, interface, host.find(':') == std::string::npos ? AF_INET : AF_INET6,
          host};
}
NetworkFact Route(int interface, const std::string& gateway, uint32_t metric) {
  return {Kind::kRoute, interface, AF_INET, gateway, metric, RT_TABLE_MAIN};
}

class NetworkMonitorTest : public testing::Test {
 protected:
  NetworkMonitorTest() { session_ = *monitor_.PathOf("192.0.2.7"); }

  // The kernel says so, and it is so.
  void Add(const NetworkFact& fact) {
    kernel_.insert(fact);
    monitor_.OnNews({fact, true});
  }
  void Remove(const NetworkFact& fact) {
    kernel_.erase(fact);
    monitor_.OnNews({fact, false});
  }
  // It is so, and the kernel says nothing.
  void RemoveQuietly(const NetworkFact& fact) { kernel_.erase(fact); }

  bool Settle() {
    const auto deadline = monitor_.deadline();
    if (!deadline.has_value()) return false;
    clock_.Advance(std::max(absl::ZeroDuration(), *deadline - clock_.Monotonic()));
    return monitor_.Settle(kernel_);
  }
  // After this change, the session from 192.0.2.7 …
  bool SettledItMustReconnect() {
    EXPECT_TRUE(Settle());
    return MustReconnect(session_, monitor_.PathOf("192.0.2.7"));
  }

  SimulatedClock clock_;
  NetworkFacts kernel_ = {Link(kWlan), Address(kWlan, "192.0.2.7"), Route(kWlan, "192.0.2.1", 600),
                          Link(1), Address(1, "127.0.0.1")};
  NetworkMonitor monitor_{&clock_, kernel_};
  NetworkPath session_;
};

TEST_F(NetworkMonitorTest, NothingHappensWhileNothingChanges) {
  EXPECT_EQ(monitor_.deadline(), std::nullopt);
  // As routers' advertisements do, every few minutes.
  for (const NetworkFact& fact : kernel_) monitor_.OnNews({fact, true});
  monitor_.OnNews({Address(kWwan, "10.0.0.1"), false});
  EXPECT_EQ(monitor_.deadline(), std::nullopt);
}

TEST_F(NetworkMonitorTest, ABurstIsOneChange) {
  const MonotonicTime start = clock_.Monotonic();
  Add(Link(kWwan));
  EXPECT_EQ(*monitor_.deadline() - start, kNetworkSettle);
  clock_.Advance(kNetworkSettle / 2);
  Add(Address(kWwan, "10.0.0.1"));
  EXPECT_EQ(*monitor_.deadline() - start, kNetworkSettle * 1.5);
  EXPECT_TRUE(Settle());
  EXPECT_FALSE(Settle()) << "once";
  EXPECT_EQ(monitor_.deadline(), std::nullopt);
}

TEST_F(NetworkMonitorTest, ABurstWithoutEndIsCutWithinASecond) {
  const MonotonicTime start = clock_.Monotonic();
  for (int i = 0; i < 100; ++i) {
    Add(Address(kWwan, "10.0.0." + std::to_string(i)));
    clock_.Advance(absl::Milliseconds(100));
  }
  EXPECT_EQ(*monitor_.deadline() - start, kNetworkSettleMax);
  EXPECT_LT(kNetworkSettleMax, absl::Seconds(1));
}

TEST_F(NetworkMonitorTest, AnExpiredLeaseEndsTheSession) {
  Remove(Address(kWlan, "192.0.2.7"));
  RemoveQuietly(Route(kWlan, "192.0.2.1", 600));
  EXPECT_TRUE(SettledItMustReconnect());
  EXPECT_FALSE(monitor_.online());
}

TEST_F(NetworkMonitorTest, ABetterRouteEndsTheSession) {
  Add(Link(kWwan));
  Add(Address(kWwan, "10.0.0.1"));
  Add(Route(kWwan, "10.0.0.2", 700));
  EXPECT_FALSE(SettledItMustReconnect()) << "a worse one";
  Add(Route(kWwan, "10.0.0.2", 100));
  EXPECT_TRUE(SettledItMustReconnect());
}

TEST_F(NetworkMonitorTest, TheNextNetworkMayHaveTheSameAddresses) {
  // A walk from one 192.0.2.0/24 to another.
  Remove(Link(kWlan));
  RemoveQuietly(Route(kWlan, "192.0.2.1", 600));
  EXPECT_FALSE(SettledItMustReconnect()) << "there is nowhere to go";
  Add(Link(kWlan));
  Add(Route(kWlan, "192.0.2.1", 600));
  EXPECT_TRUE(SettledItMustReconnect());
  session_ = *monitor_.PathOf("192.0.2.7");
  Add(Address(kWlan, "2001:db8::1"));
  EXPECT_FALSE(SettledItMustReconnect()) << "an address more changes nothing";
}

TEST_F(NetworkMonitorTest, ALinkThatIsBackBeforeItSettledWasLostAllTheSame) {
  Remove(Link(kWlan));
  clock_.Advance(absl::Milliseconds(10));
  Add(Link(kWlan));
  EXPECT_TRUE(SettledItMustReconnect());
}

TEST_F(NetworkMonitorTest, ARouteThatWasGoneIsNotTrusted) {
  Remove(Route(kWlan, "192.0.2.1", 600));
  EXPECT_FALSE(SettledItMustReconnect());
  Add(Route(kWlan, "192.0.2.1", 600));
  EXPECT_TRUE(SettledItMustReconnect());
}

TEST_F(NetworkMonitorTest, LostMessagesMakeItLook) {
  RemoveQuietly(Address(kWlan, "192.0.2.7"));
  EXPECT_FALSE(Settle());
  monitor_.OnOverrun();
  EXPECT_TRUE(SettledItMustReconnect());
  monitor_.OnOverrun();
  EXPECT_FALSE(Settle()) << "nothing had changed";
}

TEST_F(NetworkMonitorTest, TheLoopbackKnowsNoRoutes) {
  const auto before = monitor_.PathOf("127.0.0.1");
  Remove(Route(kWlan, "192.0.2.1", 600));
  Add(Route(kWwan, "10.0.0.2", 1));
  EXPECT_TRUE(Settle());
  EXPECT_FALSE(MustReconnect(*before, monitor_.PathOf("127.0.0.1")));
  EXPECT_TRUE(monitor_.online());
}

TEST_F(NetworkMonitorTest, RemembersSoMuchAndNoMore) {
  for (size_t i = 0; i < 2 * kMaxNetworkFacts; ++i) Add(Link(static_cast<int>(100 + i)));
  EXPECT_TRUE(Settle());
  EXPECT_EQ(monitor_.facts().size(), kMaxNetworkFacts);
}

}  // namespace
}  // namespace bellwire::agent
