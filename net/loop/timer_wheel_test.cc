#include "net/loop/timer_wheel.h"

#include <map>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

TEST(TimerWheelTest, ComesAtItsTickAndNotBefore) {
  TimerWheel wheel(1000);
  TimerWheel::Entry entry;
  wheel.Arm(&entry, 1005);
  EXPECT_EQ(wheel.NextDeadline(), 1005u);
  EXPECT_EQ(wheel.PopDue(1004), nullptr);
  EXPECT_EQ(wheel.PopDue(1005), &entry);
  EXPECT_FALSE(entry.armed());
  EXPECT_EQ(wheel.PopDue(1005), nullptr);
  EXPECT_EQ(wheel.NextDeadline(), std::nullopt);
}

TEST(TimerWheelTest, ThePastIsTheNextTick) {
  TimerWheel wheel(1000);
  TimerWheel::Entry entry;
  wheel.Arm(&entry, 3);
  EXPECT_EQ(entry.deadline(), 1001u);
  EXPECT_EQ(wheel.PopDue(1000), nullptr);
  EXPECT_EQ(wheel.PopDue(1001), &entry);
}

TEST(TimerWheelTest, AClockThatStepsBackChangesNothing) {
  TimerWheel wheel(1000);
  EXPECT_EQ(wheel.PopDue(10), nullptr);
  EXPECT_EQ(wheel.now(), 1000u);
}

TEST(TimerWheelTest, ReachesTheEndOfTime) {
  TimerWheel wheel(1);
  TimerWheel::Entry entry;
  wheel.Arm(&entry, UINT64_MAX);
  EXPECT_EQ(wheel.NextDeadline(), UINT64_MAX);
  EXPECT_EQ(wheel.PopDue(UINT64_MAX - 1), nullptr);
  EXPECT_EQ(wheel.PopDue(UINT64_MAX), &entry);
}

// What keeps a phone asleep: an entry far ahead is announced for its own tick, though it sits at a
// high level and moves down on the way.
TEST(TimerWheelTest, AnIdleLoopWakesOnlyForDeadlines) {
  TimerWheel wheel(0);
  TimerWheel::Entry near, far;
  wheel.Arm(&near, 50'000);
  wheel.Arm(&far, 10'000'001);
  int wakes = 0;
  std::vector<TimerWheel::Entry*> due;
  while (const auto next = wheel.NextDeadline()) {
    ++wakes;
    while (TimerWheel::Entry* entry = wheel.PopDue(*next)) due.push_back(entry);
  }
  EXPECT_EQ(wakes, 2);
  EXPECT_EQ(due, (std::vector<TimerWheel::Entry*>{&near, &far}));
}

TEST(TimerWheelTest, ACrowdedSlotIsNotScanned) {
  TimerWheel wheel(0);
  std::vector<std::unique_ptr<TimerWheel::Entry>> entries;
  for (int i = 0; i <= TimerWheel::kMaxExactScan; ++i) {
    entries.push_back(std::make_unique<TimerWheel::Entry>());
    wheel.Arm(entries.back().get(), 1'000'000 + i);
  }
  EXPECT_EQ(wheel.NextDeadline(), 1'000'000u)
      << "an entry that comes first is known without a scan";
  TimerWheel::Entry earliest;
  wheel.Arm(&earliest, 999'999);
  wheel.Cancel(&earliest);
  const auto next = wheel.NextDeadline();
  ASSERT_TRUE(next.has_value());
  EXPECT_LT(*next, 1'000'000u) << "a lower bound";
  EXPECT_EQ(wheel.PopDue(*next), nullptr);
  for (const auto& entry : entries) wheel.Cancel(entry.get());
}

// Random calls, checked against a std::multimap after each.
class TimerWheelPropertyTest : public testing::TestWithParam<uint32_t> {};

TEST_P(TimerWheelPropertyTest, BehavesLikeASortedMap) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  std::mt19937_64 random(GetParam());
  uint64_t now = random() >> (random() % 64);
  TimerWheel wheel(now);
  std::vector<std::unique_ptr<TimerWheel::Entry>> entries(200);
  for (auto& entry : entries) entry = std::make_unique<TimerWheel::Entry>();
  std::multimap<uint64_t, TimerWheel::Entry*> model;
  const auto forget = [&](TimerWheel::Entry* entry) {
    const auto [begin, end] = model.equal_range(entry->deadline());
    for (auto it = begin; it != end; ++it) {
      if (it->second == entry) {
        model.erase(it);
        return;
      }
    }
    ADD_FAILURE() << "armed, but not in the model";
  };
  // Distances of every magnitude up to some years of milliseconds.
  const auto distance = [&] { return random() >> (24 + random() % 40); };
  const auto arm = [&](TimerWheel::Entry* entry) {
    if (entry->armed()) forget(entry);
    wheel.Arm(entry, now + distance());
    model.emplace(entry->deadline(), entry);
  };

  for (int step = 0; step < 20'000; ++step) {
    TimerWheel::Entry* const entry = entries[random() % entries.size()].get();
    switch (random() % 4) {
      case 0:
      case 1:
        arm(entry);
        break;
      case 2:
        if (entry->armed()) forget(entry);
        wheel.Cancel(entry);
        EXPECT_FALSE(entry->armed());
        break;
      case 3:
        // Half of the time exactly to the next deadline, the edge that matters.
        now = random() % 2 == 0 && !model.empty() ? model.begin()->first : now + distance();
        while (TimerWheel::Entry* due = wheel.PopDue(now)) {
          ASSERT_FALSE(model.empty());
          ASSERT_EQ(due->deadline(), model.begin()->first) << "in order";
          ASSERT_LE(due->deadline(), now) << "never early";
          ASSERT_FALSE(due->armed());
          bool found = false;
          const auto [begin, end] = model.equal_range(due->deadline());
          for (auto it = begin; it != end && !found; ++it) {
            if (it->second == due) {
              model.erase(it);
              found = true;
              break;
            }
          }
          ASSERT_TRUE(found);
          // A callback arms and cancels while others are due.
          if (random() % 4 == 0) arm(entries[random() % entries.size()].get());
        }
        ASSERT_TRUE(model.empty() || model.begin()->first > now) << "none forgotten";
        ASSERT_EQ(wheel.now(), now);
        break;
    }
    ASSERT_EQ(wheel.size(), model.size());
    const auto next = wheel.NextDeadline();
    ASSERT_EQ(next.has_value(), !model.empty());
    if (next.has_value()) {
      ASSERT_LE(*next, model.begin()->first);
      ASSERT_GT(*next, now);
    }
  }
  for (auto& entry : entries) wheel.Cancel(entry.get());
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimerWheelPropertyTest, testing::Range(1u, 9u));

}  // namespace
}  // namespace bellwire::net
