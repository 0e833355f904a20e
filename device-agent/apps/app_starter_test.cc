#include "device-agent/apps/app_starter.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Strings = std::vector<std::string>;

class AppStarterTest : public testing::Test {
 protected:
  // What was started since the last call.
  Strings Started() { return std::exchange(started_, {}); }

  SimulatedClock clock_;
  bool can_start_ = true;
  Strings started_;
  AppStarter starter_{&clock_, [this](const std::string& app_id) {
                        started_.push_back(app_id);
                        return can_start_;
                      }};
};

TEST_F(AppStarterTest, StartsOnceHoweverManyMessagesCome) {
  for (int i = 0; i < 5; ++i) starter_.Want("mail");
  EXPECT_EQ(Started(), Strings{"mail"});
  starter_.OnEnded("mail");
  starter_.Want("mail");
  EXPECT_EQ(Started(), Strings{}) << "it may be about to connect";
  starter_.OnConnected("mail");
  starter_.OnTook("mail");
  EXPECT_EQ(starter_.size(), 0u);
  starter_.Want("mail");
  EXPECT_EQ(Started(), Strings{"mail"}) << "it was of use: no wait";
}

TEST_F(AppStarterTest, AnAppThatTakesNothingIsStartedEverMoreSeldom) {
  absl::Duration wait = kAppStartWaitMin;
  for (int n = 1; n <= 20; ++n) {
    starter_.Want("mail");
    ASSERT_EQ(Started(), Strings{"mail"}) << n;
    EXPECT_EQ(starter_.starts("mail"), n);
    starter_.OnEnded("mail");
    starter_.OnConnected("mail");  // And dies.
    clock_.Advance(wait - absl::Seconds(1));
    starter_.Want("mail");
    ASSERT_EQ(Started(), Strings{}) << n;
    clock_.Advance(absl::Seconds(1));
    wait = std::min(wait * 2, kAppStartWaitMax);
  }
}

TEST_F(AppStarterTest, TheTimeThatThePhoneSleepsCounts) {
  starter_.Want("mail");
  starter_.OnEnded("mail");
  Started();
  clock_.Suspend(kAppStartWaitMin);
  starter_.Want("mail");
  EXPECT_EQ(Started(), Strings{"mail"});
}

TEST_F(AppStarterTest, AFewAtATimeAndTheRestInTurn) {
  for (int i = 0; i < 10; ++i) starter_.Want(absl::StrCat("app", i));
  EXPECT_EQ(Started(), (Strings{"app0", "app1", "app2", "app3"}));
  starter_.OnConnected("app5");  // By itself.
  starter_.OnEnded("app2");
  EXPECT_EQ(Started(), Strings{"app4"});
  starter_.OnEnded("app0");
  EXPECT_EQ(Started(), Strings{"app6"});
  starter_.OnEnded("app0");
  EXPECT_EQ(Started(), Strings{}) << "said twice";
}

TEST_F(AppStarterTest, AStartThatCantBeTriedTakesNoSlot) {
  can_start_ = false;
  for (int i = 0; i < 10; ++i) starter_.Want(absl::StrCat("app", i));
  EXPECT_EQ(Started().size(), 10u);
  can_start_ = true;
  starter_.Want("app0");
  EXPECT_EQ(Started(), Strings{}) << "but it waits all the same";
  clock_.Advance(kAppStartWaitMin);
  starter_.Want("app0");
  EXPECT_EQ(Started(), Strings{"app0"});
}

TEST_F(AppStarterTest, AnAppThatIsUnregisteredWhileItStartsIsForgottenThen) {
  starter_.Want("mail");
  starter_.OnTook("mail");
  EXPECT_EQ(starter_.size(), 1u);
  starter_.OnEnded("mail");
  EXPECT_EQ(starter_.size(), 0u);
}

}  // namespace
}  // namespace bellwire::agent
