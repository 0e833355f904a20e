#include "connector/session/priority_gate.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using device::v1::ACTIVE;
using device::v1::IDLE;
using internal::v1::Envelope;
using internal::v1::Page;
using push::v1::Priority;
using push::v1::PRIORITY_HIGH;
using push::v1::PRIORITY_LOW;
using push::v1::PRIORITY_NORMAL;
using Seqs = std::vector<uint64_t>;

Envelope Message(uint64_t seq, Priority priority) {
  Envelope message;
  message.set_seq(seq);
  message.set_priority(priority);
  return message;
}

class PriorityGateTest : public testing::Test {
 protected:
  void Idle() {
    gate_.SetActivity(IDLE);
    gate_.CloseIfThrough(true);
  }
  bool Passes(Priority priority) const { return gate_.Passes(Message(1, priority)); }
  void Keep(uint64_t seq, Priority priority) { gate_.Keep(Message(seq, priority)); }
  // What it asks for: "NORMAL after 6". Empty: nothing.
  std::string StartPull() {
    if (!gate_.wants_pull()) return "";
    internal::v1::PullRequest pull;
    gate_.StartPull(&pull);
    EXPECT_EQ(pull.priorities_size(), 1);
    return push::v1::Priority_Name(pull.priorities(0)).substr(9) + " after " +
           std::to_string(pull.after_seq());
  }
  // The answer holds these; returns what is sent.
  Seqs FinishPull(Priority priority, const Seqs& seqs, uint64_t complete_to, bool more = false) {
    Page page;
    for (const uint64_t seq : seqs) *page.add_messages() = Message(seq, priority);
    page.set_complete_to_seq(complete_to);
    page.set_more(more);
    Seqs sent;
    gate_.FinishPull(page, [&sent](const Envelope& message) { sent.push_back(message.seq()); });
    return sent;
  }

  PriorityGate gate_;
};

TEST_F(PriorityGateTest, EverythingPassesWhileTheDeviceIsActive) {
  for (const Priority p : {PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW}) EXPECT_TRUE(Passes(p));
  gate_.CloseIfThrough(true);
  EXPECT_TRUE(Passes(PRIORITY_NORMAL));
  internal::v1::PullRequest pull;
  gate_.passing().AddTo(&pull);
  EXPECT_EQ(pull.priorities_size(), 0) << "all";
}

TEST_F(PriorityGateTest, OnlyHighPassesWhileItIsIdle) {
  Idle();
  EXPECT_TRUE(Passes(PRIORITY_HIGH));
  EXPECT_FALSE(Passes(PRIORITY_NORMAL));
  EXPECT_FALSE(Passes(push::v1::PRIORITY_UNSPECIFIED)) << "as NORMAL";
  EXPECT_FALSE(Passes(PRIORITY_LOW));
  Envelope gap;
  gap.set_gap_dropped(3);
  EXPECT_FALSE(gate_.Passes(gap)) << "as NORMAL";
  internal::v1::PullRequest pull;
  gate_.passing().AddTo(&pull);
  ASSERT_EQ(pull.priorities_size(), 1);
  EXPECT_EQ(pull.priorities(0), PRIORITY_HIGH);
  EXPECT_FALSE(gate_.wants_pull());
}

TEST_F(PriorityGateTest, AnActivityThatNobodyKnowsIsActive) {
  Idle();
  gate_.SetActivity(static_cast<device::v1::Activity>(17));
  EXPECT_TRUE(Passes(PRIORITY_LOW));
}

TEST_F(PriorityGateTest, AnActiveDeviceGetsWhatWasKeptTheMoreUrgentFirst) {
  Idle();
  Keep(3, PRIORITY_LOW);
  Keep(5, PRIORITY_NORMAL);
  Keep(7, PRIORITY_LOW);
  EXPECT_TRUE(gate_.has_waiting_normal());
  EXPECT_EQ(StartPull(), "");
  gate_.SetActivity(ACTIVE);
  EXPECT_FALSE(gate_.has_waiting_normal());
  EXPECT_EQ(StartPull(), "NORMAL after 4");
  EXPECT_FALSE(gate_.wants_pull()) << "one at a time";
  EXPECT_EQ(FinishPull(PRIORITY_NORMAL, {5}, 8), Seqs{5});
  EXPECT_EQ(StartPull(), "LOW after 2");
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {3, 7}, 8), (Seqs{3, 7}));
  EXPECT_EQ(StartPull(), "");
  EXPECT_TRUE(Passes(PRIORITY_LOW));
}

TEST_F(PriorityGateTest, NothingOvertakesWhatWasKeptOfItsPriority) {
  Idle();
  Keep(3, PRIORITY_LOW);
  gate_.SetActivity(ACTIVE);
  EXPECT_FALSE(Passes(PRIORITY_LOW));
  EXPECT_TRUE(Passes(PRIORITY_NORMAL));
  EXPECT_EQ(StartPull(), "LOW after 2");
  // While the page is on its way.
  Keep(4, PRIORITY_LOW);
  Keep(6, PRIORITY_LOW);
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {3, 4}, 5), (Seqs{3, 4}));
  EXPECT_FALSE(Passes(PRIORITY_LOW));
  EXPECT_EQ(StartPull(), "LOW after 5");
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {6}, 6), Seqs{6});
  EXPECT_TRUE(Passes(PRIORITY_LOW));
}

TEST_F(PriorityGateTest, WhatHasItsTurnStillToComeIsNotTakenFromThePage) {
  Idle();
  Keep(3, PRIORITY_LOW);
  gate_.SetActivity(ACTIVE);
  EXPECT_EQ(StartPull(), "LOW after 2");
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {3, 4}, 4), Seqs{3});
  EXPECT_TRUE(Passes(PRIORITY_LOW)) << "4, when its turn comes";
}

TEST_F(PriorityGateTest, SeveralPages) {
  Idle();
  gate_.Keep(PRIORITY_NORMAL, 10, 40);
  gate_.OpenForNormal();
  EXPECT_EQ(StartPull(), "NORMAL after 9");
  EXPECT_EQ(FinishPull(PRIORITY_NORMAL, {10, 12}, 15, /*more=*/true), (Seqs{10, 12}));
  gate_.CloseIfThrough(true);
  EXPECT_EQ(StartPull(), "NORMAL after 15");
  EXPECT_EQ(FinishPull(PRIORITY_NORMAL, {}, 30, /*more=*/true), Seqs{});
  EXPECT_EQ(StartPull(), "NORMAL after 30");
  EXPECT_EQ(FinishPull(PRIORITY_NORMAL, {40}, 40), Seqs{40});
  EXPECT_EQ(StartPull(), "");
}

TEST_F(PriorityGateTest, TheRadioOpensForNormalUntilItIsThrough) {
  Idle();
  gate_.OpenForNormal();
  EXPECT_TRUE(Passes(PRIORITY_NORMAL));
  EXPECT_FALSE(Passes(PRIORITY_LOW));
  gate_.CloseIfThrough(/*caught_up=*/false);
  EXPECT_TRUE(Passes(PRIORITY_NORMAL)) << "the mailbox may hold more";
  gate_.CloseIfThrough(true);
  EXPECT_FALSE(Passes(PRIORITY_NORMAL));
  Keep(2, PRIORITY_NORMAL);
  Keep(3, PRIORITY_LOW);
  gate_.OpenForNormal();
  gate_.CloseIfThrough(true);
  EXPECT_EQ(StartPull(), "NORMAL after 1");
  gate_.CloseIfThrough(true);
  EXPECT_EQ(FinishPull(PRIORITY_NORMAL, {2}, 3), Seqs{2});
  gate_.CloseIfThrough(true);
  EXPECT_FALSE(Passes(PRIORITY_NORMAL));
  EXPECT_FALSE(gate_.wants_pull());
}

TEST_F(PriorityGateTest, WhoeverLaysThePhoneDownGetsWhatWasOnItsWayButNoLow) {
  Idle();
  Keep(2, PRIORITY_NORMAL);
  Keep(3, PRIORITY_LOW);
  gate_.SetActivity(ACTIVE);
  EXPECT_EQ(StartPull(), "NORMAL after 1");
  Idle();
  EXPECT_EQ(FinishPull(PRIORITY_NORMAL, {2}, 3), Seqs{2});
  gate_.SetActivity(ACTIVE);
  EXPECT_EQ(StartPull(), "LOW after 2");
  Idle();
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {3}, 3), Seqs{});
  EXPECT_FALSE(gate_.wants_pull());
  gate_.SetActivity(ACTIVE);
  EXPECT_EQ(StartPull(), "LOW after 2");
}

TEST_F(PriorityGateTest, IdleSaidTwiceOpensNothing) {
  Idle();
  gate_.SetActivity(IDLE);
  EXPECT_FALSE(Passes(PRIORITY_NORMAL));
}

TEST_F(PriorityGateTest, APageThatMayHoldWhatWasReplacedIsPulledAgain) {
  Idle();
  Keep(2, PRIORITY_LOW);
  gate_.SetActivity(ACTIVE);
  EXPECT_EQ(StartPull(), "LOW after 1");
  gate_.NoteReplacement();
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {2}, 3), Seqs{});
  EXPECT_EQ(StartPull(), "LOW after 1");
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {}, 3), Seqs{});
  EXPECT_EQ(StartPull(), "");
}

TEST_F(PriorityGateTest, AFailedPullIsForgotten) {
  gate_.Keep(PRIORITY_LOW, 2, 2);
  EXPECT_EQ(StartPull(), "LOW after 1");
  EXPECT_TRUE(gate_.is_pulling());
  gate_.PullFailed();
  EXPECT_FALSE(gate_.is_pulling());
  EXPECT_EQ(StartPull(), "LOW after 1");
}

// Whatever the registry says, a pull comes to its end.
TEST_F(PriorityGateTest, APageThatEndsTooEarlyEndsThePull) {
  gate_.Keep(PRIORITY_LOW, 2, 9);
  EXPECT_EQ(StartPull(), "LOW after 1");
  EXPECT_EQ(FinishPull(PRIORITY_LOW, {2}, 4), Seqs{2});
  EXPECT_EQ(StartPull(), "");
}

TEST_F(PriorityGateTest, APageOfEverythingGivesOnlyWhatWasAskedFor) {
  gate_.Keep(PRIORITY_LOW, 2, 4);
  EXPECT_EQ(StartPull(), "LOW after 1");
  EXPECT_EQ(FinishPull(PRIORITY_HIGH, {2, 3, 4}, 4), Seqs{});
}

}  // namespace
}  // namespace bellwire::connector
