// The registry that owns a session's device, and the stream to it: what of a break or of another
// owner the session makes.

#include <string>
#include <vector>

#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using S = ConnectionState;
using H = ConnectionHarness;
using Seqs = std::vector<uint64_t>;

TEST(DeviceOwnerTest, WhatAnOwnerOfBeforeHandsOverIsDropped) {
  H h;
  h.BringTo(S::kBinding);
  internal::v1::BindResponse bound = H::Bound();
  bound.set_epoch(7);
  h.connection.OnBound(bound);
  EXPECT_TRUE(h.Deliver(H::Message(1), /*epoch=*/6)) << "its route is not to be cleared";
  EXPECT_TRUE(h.Deliver(H::NowOrNever(2), /*epoch=*/6));
  EXPECT_EQ(h.PushedSeqs(), Seqs{});
  EXPECT_EQ(h.LastOutcome(), "");
  EXPECT_TRUE(h.Deliver(H::Message(1), /*epoch=*/7));
  EXPECT_EQ(h.PushedSeqs(), Seqs{1});
}

// What the owner before has handed over last may come after what the new one hands over first.
TEST(DeviceOwnerTest, ANewOwnerIsAskedWhatTheOneBeforeHasOnItsWay) {
  H h;
  h.BringTo(S::kBinding);
  internal::v1::BindResponse bound = H::Bound();
  bound.set_epoch(7);
  h.connection.OnBound(bound);
  EXPECT_TRUE(h.Deliver(H::Message(1), /*epoch=*/7));
  EXPECT_TRUE(h.Deliver(H::Message(3), /*epoch=*/8));
  EXPECT_EQ(h.PushedSeqs(), Seqs{1}) << "2 is on its way, and comes first";
  ASSERT_EQ(h.host.resumes.size(), 1u);
  EXPECT_EQ(h.host.resumes[0].after_seq(), 1u);
  EXPECT_TRUE(h.Deliver(H::Message(4), /*epoch=*/8));
  EXPECT_EQ(h.host.resumes.size(), 1u) << "one is enough";
  h.connection.OnResumed(H::Resumed(/*behind=*/true, /*epoch=*/8));
  EXPECT_TRUE(h.Deliver(H::Message(2), /*epoch=*/7));
  EXPECT_EQ(h.PushedSeqs(), Seqs{1});
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].after_seq(), 1u);
}

TEST(DeviceOwnerTest, APageOfAnOwnerOfBeforeIsPulledAgain) {
  H h;
  h.BringTo(S::kBinding);
  internal::v1::BindResponse bound = H::Bound();
  bound.set_epoch(7);
  *bound.mutable_page() = H::Pulled(1, 1, true).page();
  h.connection.OnBound(bound);
  ASSERT_EQ(h.host.pulls.size(), 1u);
  internal::v1::PullResponse old = H::Pulled(2, 2, false);
  old.set_epoch(6);
  h.connection.OnPulled(old);
  EXPECT_EQ(h.PushedSeqs(), Seqs{1});
  h.Advance(kRegistryRetryMax);
  EXPECT_EQ(h.host.pulls.size(), 2u);
}

TEST(DeviceOwnerTest, AfterABreakTheSessionAsksWhatItMissedAndPullsIfThereIsAny) {
  H h;
  h.BringTo(S::kActive, 4);
  h.Deliver(H::Message(5));
  h.connection.OnRegistryLost();
  // Handed over on the next stream, before anybody knows whether 6 got lost.
  EXPECT_TRUE(h.Deliver(H::Message(7)));
  EXPECT_EQ(h.PushedSeqs(), Seqs{5});
  EXPECT_TRUE(h.host.pulls.empty());
  h.connection.Resume();
  ASSERT_EQ(h.host.resumes.size(), 1u);
  EXPECT_EQ(h.host.resumes[0].after_seq(), 5u);
  EXPECT_EQ(h.host.resumes[0].route().SerializeAsString(),
            h.host.binds[0].route().SerializeAsString());
  h.connection.OnResumed(H::Resumed(/*behind=*/true));
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].after_seq(), 5u);
}

TEST(DeviceOwnerTest, ASessionThatMissedNothingPullsNothing) {
  H h;
  h.BringTo(S::kActive, 4);
  h.connection.OnRegistryLost();
  h.connection.Resume();
  h.connection.OnResumed(H::Resumed(/*behind=*/false, /*epoch=*/8));
  EXPECT_TRUE(h.host.pulls.empty());
  EXPECT_TRUE(h.Deliver(H::Message(5), 8));
  EXPECT_EQ(h.PushedSeqs(), Seqs{5});
  EXPECT_TRUE(h.Deliver(H::Message(6), 7)) << "of the life before";
  EXPECT_EQ(h.PushedSeqs(), Seqs{5});
}

TEST(DeviceOwnerTest, AResumeIsRepeatedAndItsSuccessEndsEveryBackOff) {
  H h;
  h.BringTo(S::kActive);
  h.Deliver(H::Message(1));
  h.ReceiveAck(1);
  h.connection.OnAckTaken(H::Unavailable());
  h.connection.OnRegistryLost();
  h.connection.Resume();
  h.connection.OnResumed(H::Unavailable());
  h.Advance(kRegistryRetryMax);
  EXPECT_GE(h.host.resumes.size(), 2u);
  h.connection.OnAckTaken(H::Unavailable());
  const size_t acks = h.host.acks.size();
  h.connection.OnResumed(H::Resumed(/*behind=*/true));
  EXPECT_EQ(h.host.acks.size(), acks + 1);
  EXPECT_EQ(h.host.pulls.size(), 1u);
}

TEST(DeviceOwnerTest, ASessionThatWasReplacedMeanwhileEnds) {
  H h;
  h.BringTo(S::kActive);
  h.connection.OnRegistryLost();
  h.connection.Resume();
  h.connection.OnResumed(H::StaleLogin(6));
  h.ExpectClosed(CloseReason::kReplaced);
}

}  // namespace
}  // namespace bellwire::connector
