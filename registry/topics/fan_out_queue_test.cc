#include "registry/topics/fan_out_queue.h"

#include <array>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

MessageId Id(uint8_t n) { return MessageId(std::array<uint8_t, 16>{n}); }

class FanOutQueueTest : public testing::Test {
 protected:
  void Add(const std::string& team, uint8_t id, int64_t created_ms = 0) {
    queue_.Add({created_ms, Id(id), team});
  }
  // "a 1": the next one, claimed for `lease`. Empty: none.
  std::string Claim(absl::Duration lease = absl::Seconds(10)) {
    const auto next = queue_.Next(now_);
    if (!next.has_value()) return "";
    queue_.Hold(next->team_id, next->message_id, "gateway", now_ + lease);
    return next->team_id + " " + std::to_string(next->message_id.bytes()[0]);
  }

  FanOutQueue queue_;
  MonotonicTime now_;
};

TEST_F(FanOutQueueTest, TheOldestOfATeamComesFirstAndNoneTwice) {
  Add("a", 1, 30);
  Add("a", 2, 10);
  Add("a", 3, 20);
  EXPECT_EQ(Claim(), "a 2");
  EXPECT_EQ(Claim(), "a 3");
  EXPECT_EQ(Claim(), "a 1");
  EXPECT_EQ(Claim(), "");
  queue_.Remove("a", Id(2));
  queue_.Remove("a", Id(9));
  EXPECT_EQ(queue_.size(), 2u);
  EXPECT_EQ(queue_.CountOf("a"), 2u);
  EXPECT_FALSE(queue_.Has("a", Id(2)));
  EXPECT_EQ(queue_.OfTeam("a").size(), 2u);
}

TEST_F(FanOutQueueTest, AClaimEndsWithItsLeaseOrWhenItIsGivenBack) {
  Add("a", 1);
  EXPECT_EQ(Claim(absl::Seconds(10)), "a 1");
  EXPECT_EQ(queue_.Holder("a", Id(1), now_), "gateway");
  now_ = now_ + absl::Seconds(9);
  EXPECT_EQ(Claim(), "");
  queue_.Hold("a", Id(1), "gateway", now_ + absl::Seconds(10));
  now_ = now_ + absl::Seconds(9);
  EXPECT_EQ(Claim(), "") << "it was prolonged";
  now_ = now_ + absl::Seconds(1);
  EXPECT_EQ(queue_.Holder("a", Id(1), now_), "");
  EXPECT_EQ(Claim(), "a 1");
  queue_.Release("a", Id(1));
  EXPECT_EQ(Claim(), "a 1");
}

TEST_F(FanOutQueueTest, TeamsTakeTurnsWhateverEachHasQueued) {
  for (uint8_t id = 0; id < 50; ++id) Add("a", id);
  Add("b", 1);
  Add("b", 2);
  EXPECT_EQ(Claim(), "a 0");
  EXPECT_EQ(Claim(), "b 1") << "a has a claim, and b none";
  EXPECT_EQ(Claim(), "a 1");
  EXPECT_EQ(Claim(), "b 2");
}

TEST_F(FanOutQueueTest, WithAsManyClaimsTheTeamThatWasServedLeastIsNext) {
  Add("a", 1);
  Add("b", 1);
  queue_.NoteServed("a", 1000);
  EXPECT_EQ(Claim(), "b 1");
  queue_.NoteServed("b", 5000);
  queue_.Release("b", Id(1));
  EXPECT_EQ(Claim(), "a 1");
}

TEST_F(FanOutQueueTest, ANewcomerNeitherWaitsForOthersPastNorComesBeforeThemForGood) {
  Add("a", 1);
  Add("b", 1);
  queue_.NoteServed("a", 1'000'000);
  queue_.NoteServed("b", 2'000'000);
  Add("c", 1);
  // As a: one page later it is a's turn.
  queue_.NoteServed("c", 1);
  EXPECT_EQ(Claim(), "a 1");
  EXPECT_EQ(Claim(), "c 1");
  EXPECT_EQ(Claim(), "b 1");
}

}  // namespace
}  // namespace bellwire::registry
