#include "registry/engine/postgres/fleet_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

// A fleet whose members do what their plans say, a step at a time, as the database would let them.
class Fleet {
 public:
  explicit Fleet(int16_t spread) : spread_(spread) {
    for (int16_t p = 0; p < spread + 4; ++p) leases_.push_back({.partition = p});
  }

  // Takes a partition of its own, as an engine does when it is opened.
  void Join(int64_t id) {
    alive_[id] = {.id = id, .address = "registry " + std::to_string(id)};
    owned_[id] = {};
    for (Lease& lease : leases_) {
      if (lease.partition < spread_ || lease.owner != kNoOwner) continue;
      Own(lease, id);
      owned_[id].insert(lease.partition);
      return;
    }
  }
  void Drain(int64_t id) { alive_[id].draining = true; }
  // Nobody notices as yet.
  void Die(int64_t id) {
    alive_.erase(id);
    owned_.erase(id);
    dying_.insert(id);
  }
  void Notice() { silent_.merge(dying_); }
  // Gives all back.
  void Go(int64_t id) {
    alive_.erase(id);
    owned_.erase(id);
    for (Lease& lease : leases_) {
      if (lease.owner == id) Own(lease, kNoOwner);
    }
  }

  FleetView View(int64_t id, bool free_for_long = false) const {
    FleetView view{.spread = spread_,
                   .leases = leases_,
                   .silent = silent_,
                   .me = id,
                   .owned = owned_.at(id),
                   .free_for_long = free_for_long};
    for (const auto& [member_id, member] : alive_) view.alive.push_back(member);
    return view;
  }
  FleetPlan Plan(int64_t id) const { return PlanFleet(View(id)); }

  // One does what it is to do now. Answers whether that was anything.
  bool Step(int64_t id) {
    const FleetPlan plan = Plan(id);
    for (const std::vector<Lease>& group : plan.take) {
      const bool as_seen = std::all_of(group.begin(), group.end(), [&](const Lease& lease) {
        return Of(lease.partition).owner == lease.owner;
      });
      if (!as_seen) continue;
      for (const Lease& lease : group) {
        Own(Of(lease.partition), id);
        owned_[id].insert(lease.partition);
      }
    }
    for (const FleetPlan::Gift& gift : plan.give) {
      for (const int16_t partition : gift.partitions) {
        EXPECT_EQ(Of(partition).owner, id);
        Own(Of(partition), gift.to);
        owned_[id].erase(partition);
        ++moves_;
      }
    }
    EXPECT_LE(plan.ask.size(), kMaxMovesAtATime);
    for (const int16_t partition : plan.ask) {
      EXPECT_LT(partition, spread_);
      if (alive_.count(Of(partition).wanted_by) == 0) Of(partition).wanted_by = id;
    }
    return !plan.take.empty() || !plan.give.empty() || !plan.ask.empty();
  }
  // Until nobody has anything to do.
  void Settle() {
    for (int round = 0; round < 1000; ++round) {
      bool busy = false;
      for (const auto& [id, member] : std::map<int64_t, Member>(alive_)) busy |= Step(id);
      if (!busy) return;
    }
    FAIL() << "they never come to rest";
  }

  // How many partitions that are spread each has.
  std::map<int64_t, int> Counts() const {
    std::map<int64_t, int> counts;
    for (const Lease& lease : leases_) {
      if (lease.partition < spread_) ++counts[lease.owner];
    }
    return counts;
  }
  Lease& Of(int16_t partition) { return leases_[static_cast<size_t>(partition)]; }
  int moves() const { return moves_; }

 private:
  static void Own(Lease& lease, int64_t id) {
    lease.owner = id;
    lease.wanted_by = kNoOwner;
    ++lease.epoch;
  }

  const int16_t spread_;
  std::vector<Lease> leases_;
  std::map<int64_t, Member> alive_;
  std::map<int64_t, std::set<int16_t>> owned_;
  std::set<int64_t> dying_;
  std::set<int64_t> silent_;
  int moves_ = 0;
};

using CountsOf = std::map<int64_t, int>;

TEST(FleetPlanTest, TheFirstOneTakesAll) {
  Fleet fleet(257);
  fleet.Join(1);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{1, 257}}));
  EXPECT_FALSE(fleet.Plan(1).hurry);
}

TEST(FleetPlanTest, WhoJoinsGetsItsShareAndNothingElseMoves) {
  Fleet fleet(257);
  fleet.Join(1);
  fleet.Settle();
  fleet.Join(2);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{1, 129}, {2, 128}}));
  EXPECT_EQ(fleet.moves(), 128);
  fleet.Join(3);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{1, 86}, {2, 86}, {3, 85}}));
  EXPECT_EQ(fleet.moves(), 128 + 85);
}

TEST(FleetPlanTest, AllThatStartAtOnceShare) {
  Fleet fleet(257);
  for (int64_t id = 1; id <= 4; ++id) fleet.Join(id);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{1, 65}, {2, 64}, {3, 64}, {4, 64}}));
  EXPECT_EQ(fleet.moves(), 0) << "each has taken what was free in its turn";
}

TEST(FleetPlanTest, WhatADeadOneHadIsTakenWholeByOneAndThenSpread) {
  Fleet fleet(257);
  for (int64_t id = 1; id <= 3; ++id) fleet.Join(id);
  fleet.Settle();
  fleet.Die(1);
  EXPECT_FALSE(fleet.Step(2)) << "it may live";
  fleet.Notice();
  const FleetPlan plan = fleet.Plan(2);
  ASSERT_EQ(plan.take.size(), 1u);
  EXPECT_EQ(plan.take[0].size(), 86u + 1) << "its own partition, with its log, too";
  EXPECT_TRUE(plan.ask.empty());
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{2, 129}, {3, 128}}));
}

TEST(FleetPlanTest, WhoDrainsGivesAllAwayAndTakesNothing) {
  Fleet fleet(257);
  fleet.Join(1);
  fleet.Join(2);
  fleet.Settle();
  fleet.Drain(1);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{2, 257}}));
  fleet.Go(1);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{2, 257}}));
  // The last one keeps what it has: nobody would take it.
  fleet.Drain(2);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{2, 257}}));
}

TEST(FleetPlanTest, WhatIsGivenBackIsTakenByAll) {
  Fleet fleet(257);
  for (int64_t id = 1; id <= 3; ++id) fleet.Join(id);
  fleet.Settle();
  fleet.Go(2);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{1, 129}, {3, 128}}));
}

TEST(FleetPlanTest, WhatStaysFreeIsTakenByAnybody) {
  Fleet fleet(4);
  fleet.Join(1);
  fleet.Join(2);  // It does nothing.
  ASSERT_TRUE(fleet.Step(1));
  EXPECT_EQ(fleet.Counts(), (CountsOf{{kNoOwner, 2}, {1, 2}}));
  EXPECT_FALSE(fleet.Step(1));
  EXPECT_EQ(PlanFleet(fleet.View(1, /*free_for_long=*/true)).take.size(), 1u);
}

TEST(FleetPlanTest, NobodyGivesToWhoIsGone) {
  Fleet fleet(257);
  fleet.Join(1);
  fleet.Settle();
  fleet.Join(2);
  ASSERT_TRUE(fleet.Step(2)) << "it asks";
  ASSERT_TRUE(fleet.Plan(1).hurry);
  fleet.Die(2);
  fleet.Notice();
  EXPECT_TRUE(fleet.Plan(1).give.empty());
  // What the gone one has asked for may be asked for again.
  fleet.Join(3);
  fleet.Settle();
  EXPECT_EQ(fleet.Counts(), (CountsOf{{1, 129}, {3, 128}}));
}

TEST(FleetPlanTest, AGiftThatWasNotTakenYetIsTakenBeforeAnythingIsAskedFor) {
  Fleet fleet(257);
  fleet.Join(1);
  fleet.Settle();
  fleet.Join(2);
  ASSERT_TRUE(fleet.Step(2));
  ASSERT_TRUE(fleet.Step(1));
  const FleetPlan plan = fleet.Plan(2);
  ASSERT_EQ(plan.take.size(), 1u);
  EXPECT_EQ(plan.take[0].size(), kMaxMovesAtATime);
  EXPECT_EQ(plan.take[0][0].owner, 2);
  EXPECT_TRUE(plan.ask.empty());
}

// So that what is in them is forgotten in time.
TEST(FleetPlanTest, WhoIsAloneHasFeedsOfOthersUntilSomebodyComes) {
  FleetView view{.spread = 3, .me = 1, .owned = {0, 1, 2, 3}, .own = 3, .alone = true};
  for (int16_t p = 0; p < 6; ++p) view.leases.push_back({.partition = p, .owner = 1, .epoch = 1});
  view.leases[4].owner = kNoOwner;
  view.leases[5].owner = kNoOwner;
  view.leases[5].epoch = 0;
  view.alive = {{.id = 1, .address = "a"}};
  FleetPlan plan = PlanFleet(view);
  ASSERT_EQ(plan.take.size(), 1u);
  ASSERT_EQ(plan.take[0].size(), 1u) << "feed 2, and not one that was never anybody's";
  EXPECT_EQ(plan.take[0][0].partition, 4);
  view.leases[4].owner = 1;
  view.owned.insert(4);
  plan = PlanFleet(view);
  EXPECT_TRUE(plan.take.empty() && plan.give.empty());
  view.alone = false;
  plan = PlanFleet(view);
  ASSERT_EQ(plan.give.size(), 1u);
  EXPECT_EQ(plan.give[0].to, kNoOwner);
  EXPECT_EQ(plan.give[0].partitions, (std::vector<int16_t>{4})) << "its own stays";
}

}  // namespace
}  // namespace bellwire::registry
