#include "device-agent/core/seq_tracker.h"

#include <map>
#include <random>
#include <set>

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Range = SeqTracker::Range;
using Ranges = std::vector<Range>;

TEST(SeqTrackerTest, InOrderIsOneRange) {
  SeqTracker seen(4);
  for (uint64_t seq = 1; seq <= 100; ++seq) {
    EXPECT_FALSE(seen.Contains(seq));
    seen.Insert(seq);
    EXPECT_TRUE(seen.Contains(seq));
  }
  EXPECT_EQ(seen.ranges(), (Ranges{{1, 100}}));
  EXPECT_FALSE(seen.Contains(0));
  EXPECT_FALSE(seen.Contains(101));
}

TEST(SeqTrackerTest, AHoleIsFilled) {
  SeqTracker seen(4);
  for (uint64_t seq : {1, 2, 5, 6, 4}) seen.Insert(seq);
  EXPECT_EQ(seen.ranges(), (Ranges{{1, 2}, {4, 6}}));
  const SeqTracker::Change change = seen.Insert(3);
  EXPECT_EQ(seen.ranges(), (Ranges{{1, 6}}));
  EXPECT_EQ(change.erased, (std::vector<uint64_t>{4}));
  EXPECT_EQ(change.put, (Range{1, 6}));
}

TEST(SeqTrackerTest, SettleClosesHoles) {
  SeqTracker seen(8);
  for (uint64_t seq : {2, 5, 9, 12}) seen.Insert(seq);
  seen.Settle(8);  // Touches [9, 9].
  EXPECT_EQ(seen.ranges(), (Ranges{{1, 9}, {12, 12}}));
  seen.Settle(3);  // Nothing new.
  EXPECT_EQ(seen.ranges(), (Ranges{{1, 9}, {12, 12}}));
  seen.Settle(40);
  EXPECT_EQ(seen.ranges(), (Ranges{{1, 40}}));
}

TEST(SeqTrackerTest, FullIsReached) {
  SeqTracker seen(3);
  for (uint64_t seq : {10, 20, 30}) {
    EXPECT_FALSE(seen.full());
    seen.Insert(seq);
  }
  EXPECT_TRUE(seen.full());
  seen.Settle(15);
  seen.Settle(20);
  EXPECT_FALSE(seen.full());
}

TEST(SeqTrackerTest, TheLargestNumbers) {
  constexpr uint64_t kMax = ~uint64_t{0};
  SeqTracker seen(4);
  seen.Insert(kMax);
  EXPECT_TRUE(seen.Contains(kMax));
  seen.Insert(kMax - 1);
  seen.Settle(kMax - 2);
  EXPECT_EQ(seen.ranges(), (Ranges{{1, kMax}}));
}

// Against a set of numbers, and against a copy that follows the changes.
TEST(SeqTrackerTest, AgreesWithAModel) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    SeqTracker seen(1000);
    std::set<uint64_t> model;
    std::map<uint64_t, uint64_t> copy;
    auto follow = [&copy](const SeqTracker::Change& change) {
      for (uint64_t first : change.erased) EXPECT_EQ(copy.erase(first), 1u);
      if (change.put.first != 0) copy[change.put.first] = change.put.last;
    };
    for (int step = 0; step < 200; ++step) {
      const uint64_t seq = 1 + random() % 120;
      if (random() % 20 == 0) {
        const uint64_t settled = seq / 2;
        follow(seen.Settle(settled));
        for (uint64_t s = 1; s <= settled; ++s) model.insert(s);
      } else {
        ASSERT_EQ(seen.Contains(seq), model.count(seq) == 1);
        if (model.insert(seq).second) follow(seen.Insert(seq));
      }
    }
    for (uint64_t seq = 1; seq <= 121; ++seq) {
      ASSERT_EQ(seen.Contains(seq), model.count(seq) == 1) << seq;
    }
    Ranges from_copy;
    for (const auto& [first, last] : copy) from_copy.push_back({first, last});
    ASSERT_EQ(seen.ranges(), from_copy);
    for (size_t i = 1; i < from_copy.size(); ++i) {
      ASSERT_GT(from_copy[i].first, from_copy[i - 1].last + 1) << "adjacent ranges";
    }
  }
}

}  // namespace
}  // namespace bellwire::agent
