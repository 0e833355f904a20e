#include "connector/shard/catch_up_plan.h"

#include <numeric>
#include <set>

#include "absl/random/random.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

class CatchUpPlanTest : public testing::Test {
 protected:
  struct Round {
    absl::Duration began;
    absl::Duration ended;
    std::multiset<uint64_t> sessions;
  };

  // Plays the plan until nothing is due, with `count` sessions.
  std::vector<Round> Play(size_t count) {
    std::vector<Round> rounds;
    while (plan_.next().has_value()) {
      now_ = *plan_.next();
      const auto turn = plan_.Step(now_, [&] {
        rounds.push_back({.began = now_ - MonotonicTime(), .ended = {}, .sessions = {}});
        std::vector<uint64_t> all(count);
        std::iota(all.begin(), all.end(), uint64_t{1});
        return all;
      });
      rounds.back().sessions.insert(turn.begin(), turn.end());
      rounds.back().ended = now_ - MonotonicTime();
    }
    return rounds;
  }

  absl::BitGen random_;
  MonotonicTime now_;
  CatchUpPlan plan_;
};

TEST_F(CatchUpPlanTest, NothingIsDueWithoutALoss) { EXPECT_FALSE(plan_.next().has_value()); }

TEST_F(CatchUpPlanTest, EverySessionIsAskedSoonAndOnceMore) {
  plan_.NoteLoss(now_, random_);
  const auto rounds = Play(700);
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_GE(rounds[0].began, kCatchUpDelayMin);
  EXPECT_LE(rounds[0].ended, absl::Seconds(5));
  EXPECT_GE(rounds[1].began, rounds[0].ended + kRegistryCallTimeout);
  for (const Round& round : rounds) {
    EXPECT_EQ(round.sessions.size(), 700u);
    EXPECT_EQ(std::set<uint64_t>(round.sessions.begin(), round.sessions.end()).size(), 700u);
  }
}

TEST_F(CatchUpPlanTest, ACrowdIsSpread) {
  plan_.NoteLoss(now_, random_);
  const auto rounds = Play(10 * kCatchUpsPerSecond);
  EXPECT_GE(rounds[0].ended - rounds[0].began, absl::Seconds(9.9));
  EXPECT_LE(rounds[0].ended - rounds[0].began, absl::Seconds(10.1));
}

TEST_F(CatchUpPlanTest, LossesThatGoOnDontPostponeARound) {
  plan_.NoteLoss(now_, random_);
  const MonotonicTime first = *plan_.next();
  while (now_ < first) {
    plan_.NoteLoss(now_, random_);
    EXPECT_LE(*plan_.next(), first);
    now_ = now_ + absl::Milliseconds(100);
  }
}

TEST_F(CatchUpPlanTest, ALossDuringARoundStartsAgain) {
  plan_.NoteLoss(now_, random_);
  bool asked = false;
  const auto many = [&asked] {
    EXPECT_FALSE(asked);
    asked = true;
    return std::vector<uint64_t>(kCatchUpsPerSecond);
  };
  size_t turns = 0;
  for (; turns < kCatchUpsPerSecond; turns += plan_.Step(now_, many).size()) {
    now_ = *plan_.next();
    if (asked) plan_.NoteLoss(now_, random_);
  }
  EXPECT_EQ(turns, kCatchUpsPerSecond);
  const auto rounds = Play(1);
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_LE(rounds[0].began, now_ + kCatchUpDelayMax - MonotonicTime());
  EXPECT_EQ(rounds[1].sessions.size(), 1u);
}

TEST_F(CatchUpPlanTest, AShardWithoutSessionsHasNothingToDo) {
  plan_.NoteLoss(now_, random_);
  EXPECT_EQ(Play(0).size(), 2u);
}

}  // namespace
}  // namespace bellwire::connector
