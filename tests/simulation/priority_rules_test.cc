#include "tests/simulation/priority_rules.h"

#include "absl/time/time.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::simulation {
namespace {

using push::v1::Priority;
using push::v1::PRIORITY_HIGH;
using push::v1::PRIORITY_LOW;
using push::v1::PRIORITY_NORMAL;

// A phone that has been there for an hour.
class PriorityRulesTest : public testing::Test {
 protected:
  PriorityRulesTest() {
    rules_.SetHeartbeat(kPhone, absl::Minutes(28));
    rules_.OnAgentStart(kPhone);
    clock_.Advance(absl::Hours(1));
  }
  PriorityRules::Message Ready(Priority priority, absl::Duration ago) {
    return {.device = kPhone, .priority = priority, .ready = clock_.WallNow() - ago};
  }
  bool IsLate(Priority priority, absl::Duration ago) {
    return !rules_.WhyLate(Ready(priority, ago)).empty();
  }
  bool IsTooEarly(Priority priority) {
    return !rules_.WhyTooEarly(Ready(priority, absl::ZeroDuration())).empty();
  }

  static constexpr int kPhone = 3;
  SimulatedClock clock_;
  PriorityRules rules_{&clock_};
};

TEST_F(PriorityRulesTest, APhoneInUseGetsEverythingAtOnce) {
  for (const Priority priority : {PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW}) {
    EXPECT_FALSE(IsTooEarly(priority));
    EXPECT_FALSE(IsLate(priority, absl::Seconds(50)));
    EXPECT_TRUE(IsLate(priority, absl::Seconds(70)));
  }
}

TEST_F(PriorityRulesTest, AnIdlePhoneGetsHighAtOnceAndNormalInAQuarterOfAnHour) {
  rules_.OnActivity(kPhone, false);
  clock_.Advance(absl::Hours(2));
  EXPECT_TRUE(IsLate(PRIORITY_HIGH, absl::Seconds(70)));
  EXPECT_FALSE(IsLate(PRIORITY_NORMAL, absl::Minutes(15)));
  EXPECT_TRUE(IsLate(PRIORITY_NORMAL, absl::Minutes(17)));
  EXPECT_FALSE(IsLate(PRIORITY_LOW, absl::Hours(2)));
}

TEST_F(PriorityRulesTest, WhatWaitsIsDueWhenSomebodyTakesUpThePhone) {
  rules_.OnActivity(kPhone, false);
  clock_.Advance(absl::Minutes(10));
  rules_.OnActivity(kPhone, true);
  clock_.Advance(absl::Seconds(50));
  EXPECT_FALSE(IsLate(PRIORITY_NORMAL, absl::Minutes(5)));
  EXPECT_FALSE(IsLate(PRIORITY_LOW, absl::Minutes(5)));
  clock_.Advance(absl::Seconds(20));
  EXPECT_TRUE(IsLate(PRIORITY_NORMAL, absl::Minutes(5)));
  EXPECT_TRUE(IsLate(PRIORITY_LOW, absl::Minutes(5)));
}

TEST_F(PriorityRulesTest, LowIsTooEarlyWhileNobodyUsesThePhone) {
  rules_.OnActivityAsked(kPhone);
  rules_.OnActivity(kPhone, false);
  clock_.Advance(absl::Minutes(4));
  // It may have been on its way.
  EXPECT_FALSE(IsTooEarly(PRIORITY_LOW));
  clock_.Advance(absl::Minutes(2));
  EXPECT_TRUE(IsTooEarly(PRIORITY_LOW));
  // Neither the radio nor what goes wrong with others is an excuse.
  rules_.OnRadio(kPhone);
  rules_.OnTrouble(PriorityRules::kEverybody, absl::Minutes(2));
  EXPECT_TRUE(IsTooEarly(PRIORITY_LOW));
  EXPECT_FALSE(IsTooEarly(PRIORITY_HIGH));
  rules_.OnActivityAsked(kPhone);
  EXPECT_FALSE(IsTooEarly(PRIORITY_LOW));
}

TEST_F(PriorityRulesTest, NormalIsTooEarlyWhileTheRadioIsDown) {
  rules_.OnActivity(kPhone, false);
  clock_.Advance(absl::Minutes(30));
  rules_.OnSend(kPhone);
  EXPECT_TRUE(IsTooEarly(PRIORITY_NORMAL));
  rules_.OnRadio(kPhone);
  EXPECT_FALSE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(2));
  EXPECT_TRUE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(13));
  // It has waited long enough.
  EXPECT_FALSE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(2));
  EXPECT_TRUE(IsTooEarly(PRIORITY_NORMAL));
}

// Seed 83558561 over two days found it: a message with a deliver_at came 15 minutes after the
// registry's clock had been set forward, which is what was promised of it, and the rules took it
// for one that came too early.
TEST_F(PriorityRulesTest, WhatAServerKeepsBackComesByAClockThatMayBeOff) {
  rules_.OnActivity(kPhone, false);
  rules_.OnSkew(absl::Minutes(20));
  clock_.Advance(absl::Minutes(30));
  // By the server's clock it may come from 10 minutes from now on, and waits for the radio from
  // then on.
  rules_.OnSchedule(kPhone, clock_.WallNow() + absl::Minutes(30), /*at_once=*/false);
  clock_.Advance(absl::Minutes(10 + 15 - 2));
  EXPECT_TRUE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(2));
  EXPECT_FALSE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(40));
  EXPECT_FALSE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(2));
  EXPECT_TRUE(IsTooEarly(PRIORITY_NORMAL));
}

TEST_F(PriorityRulesTest, WhatAServerKeepsBackMayBringTheRadioUpByItsClock) {
  rules_.OnActivity(kPhone, false);
  rules_.OnSkew(absl::Minutes(20));
  clock_.Advance(absl::Minutes(30));
  rules_.OnSchedule(kPhone, clock_.WallNow() + absl::Minutes(30), /*at_once=*/true);
  clock_.Advance(absl::Minutes(9));
  EXPECT_TRUE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(2));
  EXPECT_FALSE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(39));
  EXPECT_FALSE(IsTooEarly(PRIORITY_NORMAL));
  clock_.Advance(absl::Minutes(2));
  EXPECT_TRUE(IsTooEarly(PRIORITY_NORMAL));
}

TEST_F(PriorityRulesTest, APhoneThatSomethingWentWrongWithHasTimeToComeBack) {
  rules_.OnTrouble(kPhone, absl::Minutes(2));
  clock_.Advance(absl::Minutes(40));
  EXPECT_FALSE(IsLate(PRIORITY_HIGH, absl::Hours(1)));
  EXPECT_FALSE(rules_.WasUndisturbed(kPhone, clock_.WallNow()));
  clock_.Advance(absl::Minutes(3));
  EXPECT_TRUE(IsLate(PRIORITY_HIGH, absl::Hours(1)));
  EXPECT_TRUE(rules_.WasUndisturbed(kPhone, clock_.WallNow()));
  EXPECT_FALSE(rules_.WasUndisturbed(kPhone, clock_.WallNow() - absl::Minutes(3)));

  rules_.OnAway(kPhone);
  clock_.Advance(absl::Hours(5));
  EXPECT_FALSE(IsLate(PRIORITY_HIGH, absl::Hours(1)));
  EXPECT_EQ(rules_.ReachedBy(kPhone, clock_.WallNow()), absl::InfiniteFuture());
  rules_.OnBack(kPhone);
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(IsLate(PRIORITY_HIGH, absl::Hours(1)));
  EXPECT_EQ(rules_.ReachedBy(kPhone, clock_.WallNow()), clock_.WallNow() + absl::Minutes(1));
}

TEST_F(PriorityRulesTest, WhatCameForAnAppThatWasAwayIsNeitherLateNorTooEarly) {
  rules_.OnActivity(kPhone, false);
  clock_.Advance(absl::Hours(1));
  rules_.OnAppAway(kPhone);
  clock_.Advance(absl::Hours(1));
  EXPECT_FALSE(IsLate(PRIORITY_HIGH, absl::Hours(1)));
  EXPECT_TRUE(IsTooEarly(PRIORITY_LOW));
  rules_.OnAppBack(kPhone);
  EXPECT_FALSE(IsLate(PRIORITY_HIGH, absl::Hours(1)));
  EXPECT_FALSE(IsTooEarly(PRIORITY_LOW));
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(IsLate(PRIORITY_HIGH, absl::Hours(1)));
  EXPECT_TRUE(IsTooEarly(PRIORITY_LOW));
}

TEST_F(PriorityRulesTest, ANewLifeOfAnAgentCountsAsInUse) {
  rules_.OnActivity(kPhone, false);
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(IsTooEarly(PRIORITY_LOW));
  rules_.OnAgentStart(kPhone);
  EXPECT_FALSE(IsTooEarly(PRIORITY_LOW));
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(IsLate(PRIORITY_LOW, absl::Minutes(2)));
}

TEST_F(PriorityRulesTest, NothingIsSaidOfAPhoneThatIsNotKnown) {
  PriorityRules::Message message = Ready(PRIORITY_HIGH, absl::Hours(1));
  message.device = kPhone + 1;
  EXPECT_EQ(rules_.WhyLate(message), "");
  EXPECT_EQ(rules_.WhyTooEarly(message), "");
}

}  // namespace
}  // namespace bellwire::simulation
