#include "connector/shard/connection_log.h"

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

// However fast somebody connects and resets.
TEST(ConnectionLogTest, StrangersGetAFewLinesAndAreCounted) {
  SimulatedClock clock;
  ConnectionLog log(&clock);
  int lines = 0;
  for (int i = 0; i < 100'000; ++i) lines += log.MayTellOfStranger("transport_error");
  for (int i = 0; i < 7; ++i) lines += log.MayTellOfStranger("login_timeout");
  EXPECT_EQ(lines, kMaxStrangerLogLines);
  EXPECT_TRUE(log.MayTellOfSession("session_started")) << "strangers don't use up their lines";
  EXPECT_EQ(log.Summary(), std::nullopt);
  clock.Advance(kConnectionLogInterval);
  EXPECT_EQ(log.Summary(),
            absl::StrCat("login_timeout=7 transport_error=", 100'000 - kMaxStrangerLogLines));
  EXPECT_TRUE(log.MayTellOfStranger("transport_error"));
  clock.Advance(kConnectionLogInterval);
  EXPECT_EQ(log.Summary(), "");
}

TEST(ConnectionLogTest, SessionsAreBoundedToo) {
  SimulatedClock clock;
  ConnectionLog log(&clock);
  int lines = 0;
  for (int i = 0; i < 2000; ++i) lines += log.MayTellOfSession("session_started");
  EXPECT_EQ(lines, kMaxSessionLogLines);
}

TEST(ConnectionLogTest, ProbesAloneAreNotWorthALine) {
  SimulatedClock clock;
  ConnectionLog log(&clock);
  log.Count(ConnectionLog::kProbe);
  clock.Advance(kConnectionLogInterval);
  EXPECT_EQ(log.Summary(), "");
  log.Count(ConnectionLog::kProbe);
  log.Count(ConnectionLog::kSilentSocket);
  clock.Advance(kConnectionLogInterval);
  EXPECT_EQ(log.Summary(), "probe=1 silent_socket=1");
}

}  // namespace
}  // namespace bellwire::connector
