#include "registry/server/work_queue.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

using Queue = WorkQueue<std::string>;

void Push(Queue& queue, const Owner& owner, const std::string& item, int count = 1) {
  for (int i = 0; i < count; ++i) queue.Push(owner, item);
}

// How many come before the first of that name.
int Before(Queue& queue, const std::string& name) {
  for (int before = 0; !queue.empty(); ++before) {
    if (queue.Pop().item == name) return before;
  }
  return -1;
}

TEST(WorkQueueTest, AQuietTeamWaitsForNobodysBacklog) {
  Queue queue;
  for (int team = 0; team < 100; ++team) {
    Push(queue, Owner::Team(absl::StrCat("noisy", team)), "noisy", 100);
  }
  Push(queue, Owner::Devices(), "device", 10'000);
  Push(queue, Owner::Unauthenticated(), "key", 1000);
  for (int i = 0; i < 5000; ++i) queue.Pop();
  Push(queue, Owner::Team("quiet"), "quiet");
  // One turn of the devices and of the look-ups.
  EXPECT_LE(Before(queue, "quiet"), 32);
}

TEST(WorkQueueTest, AKeyLookUpWaitsForNoTeamsBacklog) {
  Queue queue;
  for (int team = 0; team < 100; ++team) {
    Push(queue, Owner::Team(absl::StrCat("noisy", team)), "noisy", 100);
  }
  Push(queue, Owner::Devices(), "device", 10'000);
  Push(queue, Owner::Unauthenticated(), "key");
  EXPECT_LE(Before(queue, "key"), 32);
}

TEST(WorkQueueTest, DevicesKeepUpWithThreeOperationsOfEachMessage) {
  Queue queue;
  Push(queue, Owner::Team("team"), "team", 2000);
  Push(queue, Owner::Devices(), "device", 6000);
  std::map<std::string, int> taken;
  for (int i = 0; i < 3200; ++i) ++taken[queue.Pop().item];
  EXPECT_EQ(taken["device"], 2400);
}

TEST(WorkQueueTest, DevicesKeepTheirOrder) {
  WorkQueue<int> queue;
  for (int i = 0; i < 100; ++i) {
    queue.Push(Owner::Devices(), i);
    queue.Push(Owner::Team("team"), -1);
  }
  int next = 0;
  while (!queue.empty()) {
    const int item = queue.Pop().item;
    if (item < 0) continue;
    EXPECT_EQ(item, next++);
  }
  EXPECT_EQ(next, 100);
}

TEST(WorkQueueTest, KnowsWhetherTeamsShareIt) {
  Queue queue;
  const auto call = [&](const std::string& team, int count) {
    for (int i = 0; i < count; ++i) {
      queue.Push(Owner::Team(team), team);
      queue.Pop();
    }
  };
  call("a", 10);
  EXPECT_FALSE(queue.shared());
  call("b", 1);
  call("a", 10'000);
  EXPECT_TRUE(queue.shared());
  call("a", 10'000);
  EXPECT_FALSE(queue.shared());
}

TEST(WorkQueueTest, EachKindHasRoomOfItsOwn) {
  Queue queue;
  for (; queue.HasRoom(Owner::Unauthenticated()); queue.Push(Owner::Unauthenticated(), "")) {
  }
  EXPECT_EQ(queue.size(), kMaxRegistryKeyLookUps);
  for (; queue.HasRoom(Owner::Devices()); queue.Push(Owner::Devices(), "")) {
  }
  EXPECT_EQ(queue.size(), kMaxRegistryKeyLookUps + kMaxRegistryQueue);
  for (; queue.HasRoom(Owner::Team("greedy")); queue.Push(Owner::Team("greedy"), "")) {
  }
  EXPECT_TRUE(queue.HasRoom(Owner::Team("newcomer")));
  EXPECT_TRUE(queue.HasRoom(Owner::Operator()));
}

}  // namespace
}  // namespace bellwire::registry
