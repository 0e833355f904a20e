#include "device-agent/inbox/server_time.h"

#include <string>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

class ServerTimeTest : public testing::Test {
 protected:
  SimulatedClock clock_;
  ServerTime time_{&clock_, "boot-1"};
};

TEST_F(ServerTimeTest, IsThePhonesOwnUntilTheServerTells) {
  EXPECT_EQ(time_.Now(), clock_.WallNow());
}

TEST_F(ServerTimeTest, GoesOnWhateverHappensToThePhonesClock) {
  const absl::Time server = clock_.WallNow() - absl::Minutes(2);
  time_.Set(server);
  EXPECT_EQ(time_.Now(), server);
  clock_.JumpWall(absl::Hours(5));
  EXPECT_EQ(time_.Now(), server);
  clock_.Advance(absl::Seconds(30));
  EXPECT_EQ(time_.Now(), server + absl::Seconds(30));
  clock_.JumpWall(-absl::Hours(9));
  EXPECT_EQ(time_.Now(), server + absl::Seconds(30));
}

TEST_F(ServerTimeTest, OutlivesTheAgentUntilThePhoneIsBooted) {
  const absl::Time server = clock_.WallNow() - absl::Minutes(2);
  time_.Set(server);
  const std::string saved = time_.Save();
  clock_.JumpWall(absl::Hours(5));
  clock_.Advance(absl::Seconds(30));
  ServerTime same_boot(&clock_, "boot-1");
  same_boot.Restore(saved);
  EXPECT_EQ(same_boot.Now(), server + absl::Seconds(30));
}

TEST_F(ServerTimeTest, AfterABootThePhonesClockIsTakenToBeOffAsBefore) {
  const absl::Time server = clock_.WallNow() - absl::Minutes(2);
  time_.Set(server);
  const std::string saved = time_.Save();
  clock_.Advance(absl::Hours(1));
  for (const char* boot : {"boot-2", ""}) {
    ServerTime next(&clock_, boot);
    next.Restore(saved);
    EXPECT_EQ(next.Now(), server + absl::Hours(1));
    EXPECT_TRUE(next.IsNews(saved)) << "of another boot";
  }
}

TEST_F(ServerTimeTest, OnlyWhatChangesAnythingIsNews) {
  EXPECT_TRUE(time_.IsNews(""));
  time_.Set(clock_.WallNow());
  const std::string saved = time_.Save();
  clock_.Advance(absl::Hours(1));
  EXPECT_FALSE(time_.IsNews(saved));
  time_.Set(clock_.WallNow() + absl::Milliseconds(900));
  EXPECT_FALSE(time_.IsNews(saved));
  time_.Set(clock_.WallNow() + absl::Milliseconds(1100));
  EXPECT_TRUE(time_.IsNews(saved));
  time_.Set(clock_.WallNow());
  clock_.JumpWall(absl::Seconds(2));
  EXPECT_TRUE(time_.IsNews(saved)) << "what the clock is off by";
}

TEST_F(ServerTimeTest, NonsenseIsIgnored) {
  for (const char* saved : {"", "1", "1 2", "x 2 boot-1", "1 x boot-1", "1 2 3 4"}) {
    time_.Restore(saved);
    EXPECT_EQ(time_.Now(), clock_.WallNow()) << saved;
  }
}

}  // namespace
}  // namespace bellwire::agent
