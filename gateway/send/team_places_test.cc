#include "gateway/send/team_places.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/fair_queue.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using Tickets = std::vector<TeamPlaces::Ticket>;

// As many as the team gets, at most `count`.
Tickets TakeMany(TeamPlaces& places, const std::string& team, size_t count) {
  Tickets tickets;
  while (tickets.size() < count) {
    std::optional<TeamPlaces::Ticket> ticket = places.TryTake(team);
    if (!ticket.has_value()) break;
    tickets.push_back(*std::move(ticket));
  }
  return tickets;
}

TEST(TeamPlacesTest, OneTeamAloneGetsHalfOfThem) {
  TeamPlaces places({.places = 100});
  Tickets tickets = TakeMany(places, "a", 100);
  EXPECT_EQ(tickets.size(), 50u);
  tickets.pop_back();
  EXPECT_TRUE(places.TryTake("a").has_value());
}

TEST(TeamPlacesTest, TeamsThatTakeAllTheyGetLeaveRoomForAnother) {
  TeamPlaces places({.places = 1000});
  std::vector<Tickets> held;
  for (int round = 0; round < 10; ++round) {
    for (int team = 0; team < 100; ++team) held.push_back(TakeMany(places, absl::StrCat(team), 1));
  }
  EXPECT_TRUE(places.TryTake("newcomer").has_value());
}

TEST(TeamPlacesTest, ATeamHasABoundOfItsOwn) {
  TeamPlaces places({.places = 1000, .most_of_a_team = 3});
  const Tickets a = TakeMany(places, "a", 10);
  EXPECT_EQ(a.size(), 3u);
  EXPECT_EQ(TakeMany(places, "b", 10).size(), 3u);
}

TEST(TeamPlacesTest, AMovedTicketCountsOnce) {
  TeamPlaces places({.places = 10});
  {
    std::optional<TeamPlaces::Ticket> ticket = places.TryTake("a");
    const TeamPlaces::Ticket moved = *std::move(ticket);
    EXPECT_EQ(places.taken(), 1u);
  }
  EXPECT_EQ(places.taken(), 0u);
}

TEST(TeamPlacesTest, ATeamIsRefusedForItsOwnQueueOnly) {
  SimulatedClock clock;
  TeamPlaces places({.places = 1000, .limit = {.min = 4}});
  // It always holds one, and is served far too late.
  const std::optional<TeamPlaces::Ticket> kept = places.TryTake("slow");
  for (int window = 0; window < 4; ++window) {
    std::optional<TeamPlaces::Ticket> ticket = places.TryTake("slow");
    ASSERT_TRUE(ticket.has_value());
    const MonotonicTime began = clock.Monotonic();
    clock.Advance(10 * kAppendLatencyTarget);
    ticket->OnServed(began, clock.Monotonic());
  }
  EXPECT_EQ(TakeMany(places, "slow", 100).size(), 3u) << "with the one it holds: the least";
  const Tickets others = TakeMany(places, "other", 100);
  EXPECT_EQ(others.size(), 100u);
  EXPECT_EQ(TakeMany(places, "slow", 100).size(), 1u) << "the two share the least";
}

// A registry that serves teams in fair turns, at a fixed rate, and teams that call at steady rates
// whatever becomes of it: what gateway and registry do between them, on a simulated clock.
class Contest {
 public:
  struct Outcome {
    size_t served = 0;
    size_t refused = 0;
    absl::Duration slowest;
  };

  explicit Contest(double served_per_second) : per_step_(served_per_second * kStepSeconds) {}

  void AddTeam(const std::string& team, double per_second) {
    offered_[team].per_step = per_second * kStepSeconds;
  }

  // What became of each team's calls in that time.
  std::map<std::string, Outcome> Run(absl::Duration time) {
    std::map<std::string, Outcome> outcomes;
    for (absl::Duration passed; passed < time; passed += absl::Seconds(kStepSeconds)) {
      clock_.Advance(absl::Seconds(kStepSeconds));
      for (auto& [team, offered] : offered_) {
        for (offered.due += offered.per_step; offered.due >= 1; --offered.due) {
          std::optional<TeamPlaces::Ticket> ticket = places_.TryTake(team);
          if (!ticket.has_value() || !queue_.HasRoom(team)) {
            ++outcomes[team].refused;
            continue;
          }
          queue_.Push(team, Call{team, clock_.Monotonic(), *std::move(ticket)});
        }
      }
      for (capacity_ = std::min(capacity_, 1.0) + per_step_; capacity_ >= 1 && !queue_.empty();
           --capacity_) {
        Call call = queue_.Pop().item;
        const MonotonicTime now = clock_.Monotonic();
        call.ticket.OnServed(call.began, now);
        Outcome& outcome = outcomes[call.team];
        ++outcome.served;
        outcome.slowest = std::max(outcome.slowest, now - call.began);
      }
    }
    return outcomes;
  }

 private:
  static constexpr double kStepSeconds = 0.001;
  struct Offered {
    double per_step = 0;
    double due = 0;
  };
  struct Call {
    std::string team;
    MonotonicTime began;
    TeamPlaces::Ticket ticket;
  };

  const double per_step_;
  SimulatedClock clock_;
  std::map<std::string, Offered> offered_;
  double capacity_ = 0;
  TeamPlaces places_{{.places = kMaxGatewaySends}};
  FairQueue<Call> queue_{kMaxRegistryQueue};
};

TEST(FairAdmissionTest, AQuietTeamIsServedAtOnceBesideOneTenAndAHundredNoisyOnes) {
  constexpr double kCapacity = 20'000;
  for (const int noisy : {1, 10, 100}) {
    SCOPED_TRACE(noisy);
    Contest contest(kCapacity);
    for (int i = 0; i < noisy; ++i) {
      contest.AddTeam(absl::StrCat("noisy", i), 3 * kCapacity / noisy);
    }
    contest.Run(absl::Seconds(2));
    contest.AddTeam("quiet", 10);
    const auto outcomes = contest.Run(absl::Seconds(10));
    EXPECT_EQ(outcomes.at("quiet").refused, 0u);
    EXPECT_NEAR(outcomes.at("quiet").served, 100, 1);
    EXPECT_LE(outcomes.at("quiet").slowest, absl::Milliseconds(1));
    size_t served = 0;
    for (const auto& [team, outcome] : outcomes) {
      served += outcome.served;
      // Overload is refused, and not served late: to nobody.
      EXPECT_LT(outcome.slowest, 3 * kAppendLatencyTarget) << team;
      if (team == "quiet") continue;
      EXPECT_NEAR(outcome.served, kCapacity * 10 / noisy, 0.1 * kCapacity * 10 / noisy) << team;
    }
    EXPECT_GT(served, 0.99 * kCapacity * 10) << "the registry is kept busy all the same";
  }
}

TEST(FairAdmissionTest, ATeamWithinItsShareIsNotRefusedWhateverTheOthersDo) {
  constexpr double kCapacity = 20'000;
  Contest contest(kCapacity);
  for (int i = 0; i < 9; ++i) contest.AddTeam(absl::StrCat("noisy", i), kCapacity);
  // A tenth would be its share.
  contest.AddTeam("decent", 0.08 * kCapacity);
  contest.Run(absl::Seconds(2));
  const auto outcomes = contest.Run(absl::Seconds(10));
  EXPECT_EQ(outcomes.at("decent").refused, 0u);
  EXPECT_LE(outcomes.at("decent").slowest, absl::Milliseconds(10));
}

}  // namespace
}  // namespace bellwire::gateway
