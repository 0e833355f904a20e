#include "gateway/doors/console/console_sessions.h"

#include <string>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

class ConsoleSessionsTest : public ::testing::Test {
 protected:
  SimulatedClock clock_;
  ConsoleSessions sessions_{&clock_};
};

TEST_F(ConsoleSessionsTest, OneIsFoundByItsSecretOnly) {
  const std::string alice = sessions_.Begin({"alice", "token of alice"});
  const std::string bob = sessions_.Begin({"bob", "token of bob"});
  EXPECT_EQ(alice.size(), 64u);
  EXPECT_NE(alice, bob);
  ASSERT_TRUE(sessions_.Find(alice).has_value());
  EXPECT_EQ(sessions_.Find(alice)->name, "alice");
  EXPECT_EQ(sessions_.Find(bob)->admin_token, "token of bob");
  EXPECT_FALSE(sessions_.Find("").has_value());
  EXPECT_FALSE(sessions_.Find(alice.substr(1)).has_value());
  sessions_.End(alice);
  EXPECT_FALSE(sessions_.Find(alice).has_value());
  EXPECT_TRUE(sessions_.Find(bob).has_value());
}

TEST_F(ConsoleSessionsTest, OneThatIsNotUsedEnds) {
  const std::string secret = sessions_.Begin({"alice", ""});
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(kConsoleIdleTime - absl::Seconds(1));
    EXPECT_TRUE(sessions_.Find(secret).has_value());
  }
  clock_.Advance(kConsoleIdleTime);
  EXPECT_FALSE(sessions_.Find(secret).has_value());
}

TEST_F(ConsoleSessionsTest, OneThatIsUsedAllTheTimeEndsAfterADay) {
  const std::string secret = sessions_.Begin({"alice", ""});
  absl::Duration since = absl::ZeroDuration();
  while (sessions_.Find(secret).has_value()) {
    ASSERT_LT(since, kConsoleSessionTime);
    clock_.Advance(absl::Minutes(10));
    since += absl::Minutes(10);
  }
  EXPECT_EQ(since, kConsoleSessionTime);
}

TEST_F(ConsoleSessionsTest, BeyondTheBoundTheOneThatWasUsedLeastRecentlyEnds) {
  const std::string first = sessions_.Begin({"first", ""});
  clock_.Advance(absl::Seconds(1));
  const std::string second = sessions_.Begin({"second", ""});
  for (size_t i = 2; i < kMaxConsoleSessions; ++i) {
    clock_.Advance(absl::Seconds(1));
    sessions_.Begin({"another", ""});
  }
  EXPECT_TRUE(sessions_.Find(first).has_value());
  EXPECT_EQ(sessions_.size(), kMaxConsoleSessions);
  clock_.Advance(absl::Seconds(1));
  sessions_.Begin({"one more", ""});
  EXPECT_EQ(sessions_.size(), kMaxConsoleSessions);
  EXPECT_TRUE(sessions_.Find(first).has_value());
  EXPECT_FALSE(sessions_.Find(second).has_value());
}

}  // namespace
}  // namespace bellwire::gateway
