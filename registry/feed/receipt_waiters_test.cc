#include "registry/feed/receipt_waiters.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

class ReceiptWaitersTest : public testing::Test {
 protected:
  void Park(const std::string& team_id, absl::Duration wait) {
    waiters_.Park(team_id, clock_.Monotonic() + wait, [this, team_id](absl::Status status) {
      woken_.push_back(status.ok() ? team_id : ErrorReason(status));
    });
  }
  // Of those that were woken, since the last call.
  std::vector<std::string> Woken() { return std::exchange(woken_, {}); }

  SimulatedClock clock_;
  ReceiptWaiters waiters_;
  std::vector<std::string> woken_;
};

using Strings = std::vector<std::string>;

TEST_F(ReceiptWaitersTest, AGrowingFeedWakesThoseOfItsTeamOnce) {
  Park("a", absl::Seconds(5));
  Park("b", absl::Seconds(5));
  Park("a", absl::Seconds(5));
  waiters_.Wake("a");
  EXPECT_EQ(Woken(), (Strings{"a", "a"}));
  waiters_.Wake("a");
  waiters_.Wake("nobody");
  EXPECT_EQ(Woken(), Strings());
  waiters_.WakeAll();
  EXPECT_EQ(Woken(), (Strings{"b"}));
}

TEST_F(ReceiptWaitersTest, AWaitEndsAtItsTime) {
  Park("a", absl::Seconds(5));
  Park("a", absl::Seconds(3));
  clock_.Advance(absl::Seconds(3));
  waiters_.Expire(clock_.Monotonic());
  EXPECT_EQ(Woken().size(), 1u);
  clock_.Advance(absl::Seconds(2));
  waiters_.Expire(clock_.Monotonic());
  EXPECT_EQ(Woken().size(), 1u);
}

TEST_F(ReceiptWaitersTest, ATeamHasItsBoundAndPlacesComeFree) {
  for (size_t i = 0; i < kMaxReceiptStreamsPerTeam; ++i) Park("a", absl::Seconds(5));
  EXPECT_EQ(Woken(), Strings());
  Park("a", absl::Seconds(5));
  EXPECT_EQ(Woken(), (Strings{"QUOTA_EXCEEDED"}));
  Park("b", absl::Seconds(5));
  EXPECT_EQ(Woken(), Strings());
  waiters_.Wake("a");
  EXPECT_EQ(Woken().size(), kMaxReceiptStreamsPerTeam);
  Park("a", absl::Seconds(5));
  EXPECT_EQ(Woken(), Strings());
  waiters_.WakeAll();
}

TEST_F(ReceiptWaitersTest, TeamsThatTakeAllTheyGetLeaveRoomForAnother) {
  for (size_t i = 0; i < kMaxReceiptWaiters; ++i) {
    Park(absl::StrCat(i % (kMaxReceiptWaiters / kMaxReceiptStreamsPerTeam)), absl::Seconds(5));
  }
  const Strings refused = Woken();
  EXPECT_FALSE(refused.empty());
  EXPECT_EQ(refused.front(), "OVERLOADED");
  Park("newcomer", absl::Seconds(5));
  EXPECT_EQ(Woken(), Strings());
  waiters_.WakeAll();
}

}  // namespace
}  // namespace bellwire::registry
