// The figures that the heartbeat must reach, and that the simulation itself is sound.
// Deterministic: everything follows from a seed.

#include <string>

#include "bench/battery/report.h"
#include "bench/battery/scenario.h"
#include "bench/battery/simulation.h"
#include "common/limits.h"
#include "common/log.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::bench {
namespace {

constexpr int kDays = 28;
constexpr uint64_t kSeed = 1;

class BatteryTest : public testing::Test {
 protected:
  BatteryTest() { SetLogLevel(LogLevel::kError); }

  static Outcome Ours(const Scenario& scenario, int days = kDays, uint64_t seed = kSeed) {
    return Simulate(scenario, AllContenders().front(), days, seed);
  }
  static Outcome Rival(const std::string& name, const Scenario& scenario) {
    for (const Contender& contender : AllContenders()) {
      if (contender.name == name) return Simulate(scenario, contender, kDays, kSeed);
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }
  static Scenario Quiet(absl::Duration nat_timeout, absl::Duration hint = absl::ZeroDuration()) {
    return StayIn("quiet", {.nat_timeout = nat_timeout, .hint = hint}, /*messages_per_day=*/0);
  }
};

TEST_F(BatteryTest, FiveMinutesOfNatAreAtMost320BeatsADay) {
  EXPECT_LE(Ours(Quiet(absl::Seconds(300))).beats_per_day_later(), 320);
}

TEST_F(BatteryTest, ThirtyMinutesOfNatAreAtMost52BeatsADay) {
  EXPECT_LE(Ours(Quiet(absl::Minutes(30))).beats_per_day_later(), 52);
  EXPECT_LE(Ours(Quiet(absl::InfiniteDuration())).beats_per_day_later(), 52);
}

TEST_F(BatteryTest, NinetyPerCentAreReachedWithinTwoHoursAlone) {
  for (const int seconds : {30, 60, 90, 180, 240, 300, 480, 600, 900, 1200, 1500, 1710, 3600}) {
    const Outcome outcome = Ours(Quiet(absl::Seconds(seconds)), /*days=*/3);
    ASSERT_TRUE(outcome.reached_90_after.has_value()) << seconds;
    EXPECT_LE(*outcome.reached_90_after, absl::Hours(2)) << seconds;
  }
}

TEST_F(BatteryTest, AndWithAHintInTheFirstConnection) {
  for (const int seconds : {60, 300, 900, 1700}) {
    const absl::Duration nat = absl::Seconds(seconds);
    const Outcome outcome = Ours(Quiet(nat, /*hint=*/0.95 * nat));
    ASSERT_TRUE(outcome.reached_90_after.has_value()) << seconds;
    EXPECT_EQ(*outcome.reached_90_after, absl::ZeroDuration()) << seconds;
  }
}

TEST_F(BatteryTest, TwoDeadWindowsOnANewNetworkAndOneAWeekLater) {
  for (const double messages_per_day : {0, 20}) {
    for (const int seconds : {45, 60, 120, 300, 600, 900, 1200, 1500, 1710, 1800}) {
      Scenario scenario = Quiet(absl::Seconds(seconds));
      scenario.messages_per_day = messages_per_day;
      const Outcome outcome = Ours(scenario, /*days=*/70);
      EXPECT_LE(outcome.dead_windows_first_week(), 2) << seconds;
      EXPECT_LE(outcome.dead_windows_later_week(), 1) << seconds;
    }
  }
}

TEST_F(BatteryTest, TunnelsAreNotTakenForNats) {
  Scenario scenario = Quiet(absl::InfiniteDuration());
  scenario.outages_per_day = 12;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_LE(Ours(scenario, kDays, seed).beats_per_day_later(), 70) << seed;
  }
}

TEST_F(BatteryTest, ARunFollowsFromItsSeed) {
  const Scenario commute = StandardScenarios().back();
  Report a = {.sections = {{"x", {{"x", Ours(commute)}}}}};
  Report b = {.sections = {{"x", {{"x", Ours(commute)}}}}};
  Report other = {.sections = {{"x", {{"x", Ours(commute, kDays, kSeed + 1)}}}}};
  EXPECT_EQ(Json(a), Json(b));
  EXPECT_NE(Json(a), Json(other));
}

// The rivals come out as is known of them.
TEST_F(BatteryTest, RivalsBehaveAsPublished) {
  const Outcome mars = Rival("mars", Quiet(absl::Seconds(300)));
  EXPECT_NEAR(mars.beats_per_day_later(), 346, 5);
  EXPECT_NEAR(Rival("mars", Quiet(absl::InfiniteDuration())).beats_per_day_later(), 149, 2);
  EXPECT_NEAR(Rival("ntfy 45 s", Quiet(absl::InfiniteDuration())).beats_per_day(), 1920, 1);
  EXPECT_NEAR(Rival("autopush 300 s", Quiet(absl::InfiniteDuration())).beats_per_day(), 288, 1);
  Scenario cellular = Quiet(absl::InfiniteDuration());
  cellular.segments[0].network.key.kind = agent::NetworkKey::Kind::kCellular;
  EXPECT_NEAR(Rival("GCM 28/15 min", cellular).beats_per_day(), 51, 1);
}

TEST_F(BatteryTest, ADeadMappingIsDeafUntilTheBeatIsGivenUp) {
  // Beats at 300 s into a NAT of 200 s: 100 s and the wait for the answer, again and again.
  const Outcome outcome = Rival("autopush 300 s", Quiet(absl::Seconds(200)));
  ASSERT_GT(outcome.dead_windows(), 0);
  EXPECT_EQ(outcome.deaf / outcome.dead_windows(),
            absl::Seconds(100) + kHeartbeatAckTimeout + absl::Seconds(1));
}

TEST_F(BatteryTest, EveryMessageArrives) {
  for (const Scenario& scenario : StandardScenarios()) {
    for (const Contender& contender : AllContenders()) {
      const Outcome outcome = Simulate(scenario, contender, /*days=*/7, kSeed);
      const double expected = scenario.messages_per_day * 7;
      EXPECT_NEAR(static_cast<double>(outcome.delays.size()), expected, expected / 2 + 1)
          << scenario.name << ", " << contender.name;
    }
  }
}

TEST_F(BatteryTest, ReportsInThreeForms) {
  Report report = {.days = 7, .seed = kSeed};
  const Scenario scenario = StayIn("one & only", {.nat_timeout = absl::Minutes(5)}, 20);
  report.sections.push_back({scenario.name, {{"bellwire", Ours(scenario, 7)}}});
  EXPECT_NE(Table(report).find("bellwire"), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(Json(report), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["runs"][0]["policy"], "bellwire");
  EXPECT_LT(json["runs"][0]["beats_per_day_from_day_2"], 320);
  EXPECT_NE(Svg(report).find("one &amp; only"), std::string::npos);
}

}  // namespace
}  // namespace bellwire::bench
