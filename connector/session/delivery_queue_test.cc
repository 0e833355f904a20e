#include "connector/session/delivery_queue.h"

#include <vector>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using Verdict = DeliveryQueue::Verdict;
using internal::v1::Envelope;
using internal::v1::Page;

Envelope Message(uint64_t seq) {
  Envelope message;
  message.set_seq(seq);
  message.set_accepted_at_ms(1);
  message.set_expires_at_ms(1000);
  return message;
}

Page PageOf(std::vector<uint64_t> seqs, uint64_t complete_to, bool more) {
  Page page;
  for (const uint64_t seq : seqs) *page.add_messages() = Message(seq);
  page.set_complete_to_seq(complete_to);
  page.set_more(more);
  return page;
}

class DeliveryQueueTest : public testing::Test {
 protected:
  // As after a Bind whose page holds everything up to `seq`.
  void FollowFrom(uint64_t seq) {
    queue_.SetSettled(seq);
    queue_.FinishPull(PageOf({}, seq, false));
  }
  Verdict Offer(uint64_t seq, bool has_room = true) {
    Envelope message = Message(seq);
    return queue_.Offer(&message, has_room);
  }
  std::vector<uint64_t> Ready(bool has_room = true) {
    std::vector<uint64_t> seqs;
    while (auto message = queue_.NextReady([has_room](const Envelope&) { return has_room; })) {
      seqs.push_back(message->seq());
    }
    return seqs;
  }

  DeliveryQueue queue_;
};

using Seqs = std::vector<uint64_t>;

TEST_F(DeliveryQueueTest, InOrder) {
  FollowFrom(4);
  EXPECT_EQ(Offer(5), Verdict::kSend);
  EXPECT_EQ(Offer(6), Verdict::kSend);
  EXPECT_EQ(Offer(6), Verdict::kSeen);
  EXPECT_EQ(Offer(2), Verdict::kSeen);
  EXPECT_EQ(queue_.cursor(), 6u);
}

TEST_F(DeliveryQueueTest, EarlyOnesWaitForTheGapToClose) {
  FollowFrom(0);
  EXPECT_EQ(Offer(3), Verdict::kHeld);
  EXPECT_EQ(Offer(2), Verdict::kHeld);
  EXPECT_EQ(Offer(5), Verdict::kHeld);
  EXPECT_EQ(Offer(3), Verdict::kHeld);
  EXPECT_EQ(Ready(), Seqs{});
  EXPECT_EQ(Offer(1), Verdict::kSend);
  EXPECT_EQ(Ready(), (Seqs{2, 3}));
  EXPECT_TRUE(queue_.is_holding());
  EXPECT_EQ(Offer(4), Verdict::kSend);
  EXPECT_EQ(Ready(), Seqs{5});
  EXPECT_FALSE(queue_.is_holding());
}

TEST_F(DeliveryQueueTest, AGapThatStaysIsPulled) {
  FollowFrom(0);
  Offer(3);
  queue_.StopHolding();
  EXPECT_TRUE(queue_.wants_pull());
  EXPECT_FALSE(queue_.is_holding());
  EXPECT_EQ(queue_.StartPull(), 0u);
  queue_.FinishPull(PageOf({1, 3}, 3, false));
  EXPECT_FALSE(queue_.wants_pull());
  EXPECT_EQ(Offer(4), Verdict::kSend);
}

TEST_F(DeliveryQueueTest, HoldsNoMoreThanItsBound) {
  FollowFrom(0);
  for (uint64_t i = 0; i < kMaxEarlyDeliveries; ++i) {
    ASSERT_EQ(Offer(2 + i), Verdict::kHeld);
  }
  EXPECT_EQ(Offer(2 + kMaxEarlyDeliveries), Verdict::kLater);
  EXPECT_TRUE(queue_.wants_pull());
  EXPECT_FALSE(queue_.is_holding());
  // What was held and dropped is not forgotten.
  queue_.StartPull();
  queue_.FinishPull(PageOf({1}, 1, true));
  EXPECT_TRUE(queue_.wants_pull());
}

TEST_F(DeliveryQueueTest, WithoutRoomItFallsBehind) {
  FollowFrom(0);
  EXPECT_EQ(Offer(1, /*has_room=*/false), Verdict::kLater);
  EXPECT_TRUE(queue_.wants_pull());
  EXPECT_EQ(Offer(2), Verdict::kLater);
  EXPECT_EQ(queue_.StartPull(), 0u);
  queue_.FinishPull(PageOf({1, 2}, 2, false));
  EXPECT_EQ(Offer(3), Verdict::kSend);
}

TEST_F(DeliveryQueueTest, HeldOnesWithoutRoomFallBehindToo) {
  FollowFrom(0);
  Offer(2);
  EXPECT_EQ(Offer(1), Verdict::kSend);
  EXPECT_EQ(Ready(/*has_room=*/false), Seqs{});
  EXPECT_TRUE(queue_.wants_pull());
  EXPECT_EQ(queue_.StartPull(), 1u);
}

TEST_F(DeliveryQueueTest, HeardDuringAPullIsPulledToo) {
  FollowFrom(0);
  queue_.NoteMissed(1);
  queue_.StartPull();
  EXPECT_EQ(Offer(2), Verdict::kLater);
  // The page was read before message 2 came.
  queue_.FinishPull(PageOf({1}, 1, false));
  EXPECT_TRUE(queue_.wants_pull());
  EXPECT_EQ(queue_.StartPull(), 1u);
  queue_.FinishPull(PageOf({2}, 2, false));
  EXPECT_FALSE(queue_.wants_pull());
}

TEST_F(DeliveryQueueTest, HeardBeforeBindAnswered) {
  EXPECT_TRUE(queue_.is_pulling());
  EXPECT_EQ(Offer(6), Verdict::kLater);
  queue_.SetSettled(4);
  queue_.FinishPull(PageOf({5}, 5, false));
  EXPECT_TRUE(queue_.wants_pull());
}

TEST_F(DeliveryQueueTest, WhatWasHeardBeforeAPullAndIsNotInItIsSettled) {
  FollowFrom(0);
  queue_.NoteMissed(5);
  queue_.StartPull();
  queue_.FinishPull(PageOf({1}, 1, false));
  EXPECT_FALSE(queue_.wants_pull());
  EXPECT_EQ(queue_.cursor(), 5u);
}

TEST_F(DeliveryQueueTest, GoesOnWhileThereIsMore) {
  FollowFrom(0);
  queue_.NoteMissed(3);
  queue_.StartPull();
  queue_.FinishPull(PageOf({1, 2}, 2, true));
  EXPECT_TRUE(queue_.wants_pull());
  EXPECT_EQ(queue_.StartPull(), 2u);
  queue_.PullFailed();
  EXPECT_TRUE(queue_.wants_pull());
  EXPECT_EQ(queue_.StartPull(), 2u);
  queue_.FinishPull(PageOf({3}, 3, false));
  EXPECT_FALSE(queue_.wants_pull());
}

TEST_F(DeliveryQueueTest, SkippedInTurnMovesTheCursor) {
  FollowFrom(0);
  queue_.Skip(1);
  EXPECT_EQ(queue_.cursor(), 1u);
  EXPECT_EQ(Offer(2), Verdict::kSend);
  queue_.Skip(1);
  EXPECT_EQ(queue_.cursor(), 2u);
}

TEST_F(DeliveryQueueTest, SkippedEarlyIsNoGapLater) {
  FollowFrom(0);
  queue_.Skip(2);
  EXPECT_EQ(Offer(3), Verdict::kHeld);
  EXPECT_EQ(Offer(1), Verdict::kSend);
  EXPECT_EQ(Ready(), Seqs{3});
  EXPECT_EQ(queue_.cursor(), 3u);
}

TEST_F(DeliveryQueueTest, SkippedLastFreesTheHeldOnes) {
  FollowFrom(0);
  EXPECT_EQ(Offer(2), Verdict::kHeld);
  queue_.Skip(1);
  EXPECT_EQ(Ready(), Seqs{2});
}

TEST_F(DeliveryQueueTest, CatchesUpOnWhatNobodyKnowsOf) {
  FollowFrom(2);
  queue_.CatchUp();
  ASSERT_TRUE(queue_.wants_pull());
  EXPECT_EQ(queue_.StartPull(), 2u);
  // Lost after the page was asked for, perhaps after it was read.
  queue_.CatchUp();
  queue_.FinishPull(PageOf({3}, 3, false));
  ASSERT_TRUE(queue_.wants_pull());
  EXPECT_EQ(queue_.StartPull(), 3u);
  queue_.FinishPull(PageOf({}, 3, false));
  EXPECT_FALSE(queue_.wants_pull());
  EXPECT_EQ(Offer(4), Verdict::kSend);
}

TEST_F(DeliveryQueueTest, NowOrNeverIsAboutTheTtlOfAMessage) {
  Envelope message = Message(1);
  EXPECT_FALSE(IsNowOrNever(message));
  message.set_expires_at_ms(message.accepted_at_ms());
  EXPECT_TRUE(IsNowOrNever(message));
  message.set_gap_dropped(3);
  EXPECT_FALSE(IsNowOrNever(message));
  EXPECT_FALSE(IsNowOrNever(Envelope()));
}

}  // namespace
}  // namespace bellwire::connector
