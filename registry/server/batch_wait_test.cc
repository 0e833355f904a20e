#include "registry/server/batch_wait.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

using For = BatchWait::For;

TEST(BatchWaitTest, WhoComesAloneAndInNoHurryIsNotFollowedByAWait) {
  EXPECT_EQ(WaitAfter({.operations = 1, .urgent = false}).whom, For::kNobody);
  EXPECT_EQ(WaitAfter({.operations = 0, .urgent = false}).whom, For::kNobody);
}

TEST(BatchWaitTest, AfterAMessageItsAcknowledgementIsLeftForTheNextMessage) {
  for (const size_t operations : {1, 2, 31}) {
    EXPECT_EQ(WaitAfter({.operations = operations, .urgent = true}).whom, For::kUrgent);
  }
}

TEST(BatchWaitTest, ACrowdOfLoginsIsGivenMoreTimeThanAnAcknowledgement) {
  const BatchWait crowd = WaitAfter({.operations = 2, .urgent = false});
  EXPECT_EQ(crowd.whom, For::kUrgent);
  EXPECT_GT(crowd.at_most, WaitAfter({.operations = 2, .urgent = true}).at_most);
}

TEST(BatchWaitTest, UnderLoadAMomentForCompanyWhateverTheHurry) {
  for (const bool urgent : {false, true}) {
    const BatchWait wait = WaitAfter({.operations = 32, .urgent = urgent});
    EXPECT_EQ(wait.whom, For::kCompany);
    EXPECT_LT(wait.at_most, WaitAfter({.operations = 31, .urgent = urgent}).at_most);
  }
}

}  // namespace
}  // namespace bellwire::registry
