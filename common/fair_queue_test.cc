#include "common/fair_queue.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

using Queue = FairQueue<std::string>;

void PushMany(Queue& queue, const std::string& flow, int count) {
  for (int i = 0; i < count; ++i) queue.Push(flow, flow);
}

// How often each flow is among the next `count`.
std::map<std::string, int> PopMany(Queue& queue, int count) {
  std::map<std::string, int> taken;
  for (int i = 0; i < count; ++i) ++taken[queue.Pop().item];
  return taken;
}

TEST(FairQueueTest, OneFlowAloneIsAPlainQueue) {
  FairQueue<int> queue(1000);
  for (int i = 0; i < 100; ++i) queue.Push("a", i);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(queue.Pop().item, i);
  EXPECT_TRUE(queue.empty());
}

TEST(FairQueueTest, GreedyFlowsGetEqualShares) {
  Queue queue(100'000);
  PushMany(queue, "a", 10'000);
  PushMany(queue, "b", 1000);
  PushMany(queue, "c", 1000);
  for (const auto& [flow, count] : PopMany(queue, 900)) EXPECT_NEAR(count, 300, 8) << flow;
}

TEST(FairQueueTest, ANewcomerIsNextWhateverOthersHaveQueued) {
  Queue queue(100'000);
  for (int team = 0; team < 100; ++team) PushMany(queue, absl::StrCat("noisy", team), 100);
  PopMany(queue, 2000);
  EXPECT_FALSE(queue.newcomer_waits());
  queue.Push("quiet", "quiet");
  EXPECT_TRUE(queue.newcomer_waits());
  const Queue::Taken taken = queue.Pop();
  EXPECT_EQ(taken.item, "quiet");
  EXPECT_TRUE(taken.newcomer);
  EXPECT_FALSE(queue.newcomer_waits());
  EXPECT_FALSE(queue.Pop().newcomer);
}

TEST(FairQueueTest, ANewcomersPrivilegeIsOneTurn) {
  Queue queue(100'000);
  PushMany(queue, "noisy", 1000);
  PopMany(queue, 100);
  PushMany(queue, "batch", 1000);
  const std::map<std::string, int> taken = PopMany(queue, 400);
  EXPECT_NEAR(taken.at("batch"), 200, 2 * Queue::kQuantum);
}

// One that empties its queue each time and comes back gets no more than one that keeps it full.
TEST(FairQueueTest, ComingBackOverAndOverWinsNothing) {
  Queue queue(100'000);
  PushMany(queue, "steady", 10'000);
  std::map<std::string, int> taken;
  bool waits = false;
  for (int i = 0; i < 4000; ++i) {
    if (!waits) queue.Push("returning", "returning");
    waits = true;
    const std::string flow = queue.Pop().item;
    if (flow == "returning") waits = false;
    ++taken[flow];
  }
  EXPECT_LE(taken["returning"], taken["steady"]);
}

TEST(FairQueueTest, WhatCostsMoreComesLessOften) {
  Queue queue(100'000);
  for (int i = 0; i < 1000; ++i) queue.Push("dear", "dear", Queue::kQuantum);
  PushMany(queue, "cheap", 1000);
  const std::map<std::string, int> taken = PopMany(queue, 900);
  EXPECT_NEAR(taken.at("dear"), 100, 2);
}

TEST(FairQueueTest, OneFlowLeavesHalfOfTheRoom) {
  Queue queue(1000);
  int pushed = 0;
  for (; queue.HasRoom("greedy"); ++pushed) queue.Push("greedy", "x");
  EXPECT_EQ(pushed, 500);
  EXPECT_TRUE(queue.HasRoom("newcomer"));
}

TEST(FairQueueTest, AHundredGreedyFlowsLeaveRoomForANewcomer) {
  Queue queue(1000);
  for (int round = 0; round < 1000; ++round) {
    for (int team = 0; team < 100; ++team) {
      const std::string flow = absl::StrCat(team);
      if (queue.HasRoom(flow)) queue.Push(flow, "x");
    }
  }
  EXPECT_LT(queue.size(), 1000u);
  EXPECT_TRUE(queue.HasRoom("newcomer"));
}

TEST(FairQueueTest, FlowsThatAreGoneAreForgotten) {
  Queue queue(1000);
  for (int i = 0; i < 10'000; ++i) {
    queue.Push(absl::StrCat(i), "x");
    queue.Pop();
  }
  EXPECT_LE(queue.flows(), 2u);
}

}  // namespace
}  // namespace bellwire
