#include "device-agent/heartbeat/interval_search.h"

#include <algorithm>
#include <random>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Phase = NetworkRecord::Phase;

// A phone that nobody writes to, in one network: beat after beat, in virtual time.
class QuietPhone {
 public:
  explicit QuietPhone(absl::Duration nat_timeout) : nat_timeout_(nat_timeout) {}

  absl::Duration Target() { return IntervalSearch(&record, bounds).Target(); }

  // True: the beat survived.
  bool Beat() {
    const absl::Duration silence = Target();
    const absl::Duration timeout = nat_timeout_ + jitter * (absl::Uniform(random_, -1.0, 1.0));
    now += silence;
    ++beats;
    IntervalSearch search(&record, bounds);
    if (silence < timeout) {
      search.Survived(silence, now);
      return true;
    }
    now += kHeartbeatAckTimeout;
    ++dead_windows;
    search.Died(silence, now);
    return false;
  }
  void BeatUntil(absl::Time end) {
    while (now < end) Beat();
  }
  void BeatUntilSettled() {
    for (int i = 0; i < 200 && record.phase != Phase::kSettled; ++i) Beat();
    EXPECT_EQ(record.phase, Phase::kSettled);
  }

  void SetNat(absl::Duration timeout) { nat_timeout_ = timeout; }

  NetworkRecord record;
  SearchBounds bounds;
  absl::Duration jitter;
  absl::Time now = absl::FromUnixSeconds(1'767'225'600);
  int dead_windows = 0;
  int beats = 0;

 private:
  absl::Duration nat_timeout_;
  std::mt19937_64 random_{7};
};

constexpr absl::Duration kDay = absl::Hours(24);

TEST(IntervalSearchTest, WithoutANatTheRungsAreClimbedWithoutADeadWindow) {
  QuietPhone phone(absl::InfiniteDuration());
  for (const absl::Duration rung : kRungs) {
    EXPECT_EQ(phone.Target(), rung);
    phone.Beat();
  }
  EXPECT_EQ(phone.record.phase, Phase::kSettled);
  EXPECT_EQ(phone.Target(), kLongestSilence);
  EXPECT_EQ(phone.dead_windows, 0);
}

// What docs/internals/heartbeat.md promises, for every time-out there is.
TEST(IntervalSearchTest, EveryNatIsLearnedInTwoHoursAndTwoDeadWindows) {
  absl::Duration longest;
  for (int seconds = 30; seconds <= 3600; ++seconds) {
    const absl::Duration nat = absl::Seconds(seconds);
    SCOPED_TRACE(nat);
    QuietPhone phone(nat);
    const absl::Time start = phone.now;
    phone.BeatUntilSettled();
    const absl::Duration usable = std::min(nat, kLongestSilence);
    EXPECT_GE(phone.Target(), 0.9 * usable - absl::Seconds(1));
    EXPECT_LT(phone.Target(), nat);
    EXPECT_LE(phone.dead_windows, 2);
    longest = std::max(longest, phone.now - start);
    // And then it is alive, and stays there.
    const int learning = phone.dead_windows;
    phone.BeatUntil(start + 6 * kDay);
    EXPECT_EQ(phone.dead_windows, learning);
  }
  EXPECT_LE(longest, absl::Hours(2));
}

TEST(IntervalSearchTest, BelowThirtySecondsItStillFindsWhatWorks) {
  for (int seconds = 11; seconds < 30; ++seconds) {
    QuietPhone phone(absl::Seconds(seconds));
    phone.BeatUntilSettled();
    EXPECT_LT(phone.Target(), absl::Seconds(seconds));
    EXPECT_GE(phone.Target(), std::max(kMinHeartbeatInterval, 0.8 * absl::Seconds(seconds)));
    EXPECT_LE(phone.dead_windows, 4);
  }
}

TEST(IntervalSearchTest, WhereNothingWorksItEndsAtTheLeast) {
  QuietPhone phone(absl::Seconds(1));
  phone.BeatUntilSettled();
  EXPECT_EQ(phone.Target(), kMinHeartbeatInterval);
  phone.BeatUntil(phone.now + absl::Hours(1));
  EXPECT_EQ(phone.Target(), kMinHeartbeatInterval);
}

TEST(IntervalSearchTest, LaterAtMostOneDeadWindowAWeek) {
  for (const int seconds : {45, 60, 120, 290, 300, 305, 600, 900, 1300, 1600}) {
    SCOPED_TRACE(seconds);
    QuietPhone phone(absl::Seconds(seconds));
    phone.BeatUntilSettled();
    for (int week = 0; week < 20; ++week) {
      const int before = phone.dead_windows;
      phone.BeatUntil(phone.now + 7 * kDay);
      EXPECT_LE(phone.dead_windows - before, 1) << "week " << week;
    }
    EXPECT_LE(phone.dead_windows, 2 + 7) << "probes that fail become rarer";
  }
}

TEST(IntervalSearchTest, ATimeOutThatVariesIsStayedBelow) {
  for (const int seconds : {60, 300, 900, 1500}) {
    SCOPED_TRACE(seconds);
    QuietPhone phone(absl::Seconds(seconds));
    phone.jitter = 0.08 * absl::Seconds(seconds);
    phone.BeatUntil(phone.now + 7 * kDay);
    EXPECT_LE(phone.dead_windows, 5);
    const int first_week = phone.dead_windows;
    phone.BeatUntil(phone.now + 7 * 12 * kDay);
    EXPECT_LE(phone.dead_windows - first_week, 12);
    EXPECT_GE(phone.record.good, 0.75 * absl::Seconds(seconds));
  }
}

TEST(IntervalSearchTest, ANetworkThatGotWorseIsLearnedAnew) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200; ++i) {
    const absl::Duration before = absl::Seconds(absl::Uniform(random, 300, 3000));
    const absl::Duration after = absl::Seconds(absl::Uniform(random, 30, 290));
    SCOPED_TRACE(absl::StrCat(absl::FormatDuration(before), " to ", absl::FormatDuration(after)));
    QuietPhone phone(before);
    phone.BeatUntilSettled();
    const int learning = phone.dead_windows;
    phone.SetNat(after);
    EXPECT_FALSE(phone.Beat());
    phone.BeatUntilSettled();
    EXPECT_LT(phone.Target(), after);
    EXPECT_GE(phone.Target(), 0.89 * after);
    EXPECT_LE(phone.dead_windows - learning, 3);
  }
}

TEST(IntervalSearchTest, ANetworkThatGotBetterIsNoticedWithinWeeks) {
  QuietPhone phone(absl::Minutes(5));
  phone.BeatUntilSettled();
  phone.SetNat(absl::InfiniteDuration());
  const int learning = phone.dead_windows;
  phone.BeatUntil(phone.now + kProbeWaitMin + kDay);
  EXPECT_EQ(phone.Target(), kLongestSilence);
  EXPECT_EQ(phone.dead_windows, learning);
}

TEST(IntervalSearchTest, AFalseAlarmCostsAFewBeats) {
  QuietPhone phone(absl::InfiniteDuration());
  phone.BeatUntilSettled();
  for (int alarm = 0; alarm < 10; ++alarm) {
    IntervalSearch(&phone.record, phone.bounds).Died(phone.Target(), phone.now);
    EXPECT_EQ(phone.Target(), kRungs.front()) << "at once somewhere safe";
    const int before = phone.beats;
    phone.BeatUntilSettled();
    EXPECT_EQ(phone.beats - before, 4);
    EXPECT_NEAR(absl::FDivDuration(phone.Target(), kLongestSilence), 1, 1e-5);
    for (int i = 0; i < kDoubtBeats; ++i) phone.Beat();
  }
}

TEST(IntervalSearchTest, TwoAlarmsInARowCostAFewPerCentUntilTheNextProbe) {
  QuietPhone phone(absl::InfiniteDuration());
  phone.BeatUntilSettled();
  for (int alarm = 0; alarm < 2; ++alarm) {
    IntervalSearch(&phone.record, phone.bounds).Died(phone.Target(), phone.now);
    phone.BeatUntilSettled();
  }
  EXPECT_NEAR(absl::FDivDuration(phone.Target(), kLongestSilence), kRetreat, 0.001);
  EXPECT_EQ(phone.dead_windows, 0);
  phone.BeatUntil(phone.now + kProbeWaitMax + kDay);
  EXPECT_EQ(phone.Target(), kLongestSilence);
}

TEST(IntervalSearchTest, AHintIsUsedAtOnceAndKeptIfItSurvives) {
  QuietPhone phone(absl::Minutes(10));
  phone.bounds.hint = absl::Seconds(570);
  EXPECT_EQ(phone.Target(), absl::Seconds(570));
  phone.Beat();
  EXPECT_EQ(phone.record.phase, Phase::kSettled);
  EXPECT_EQ(phone.Target(), absl::Seconds(570));
  EXPECT_EQ(phone.dead_windows, 0);
}

TEST(IntervalSearchTest, AWrongHintCostsOneMoreDeadWindow) {
  for (int seconds = 30; seconds < 1500; seconds += 7) {
    QuietPhone phone(absl::Seconds(seconds));
    phone.bounds.hint = absl::Seconds(1600);
    phone.BeatUntilSettled();
    EXPECT_GE(phone.Target(), 0.9 * absl::Seconds(seconds) - absl::Seconds(1));
    EXPECT_LE(phone.dead_windows, 3);
  }
}

TEST(IntervalSearchTest, WhatIsKnownIsWorthMoreThanAHint) {
  QuietPhone phone(absl::Minutes(5));
  phone.BeatUntilSettled();
  const absl::Duration learned = phone.Target();
  phone.bounds.hint = absl::Minutes(20);
  EXPECT_EQ(phone.Target(), learned);
}

TEST(IntervalSearchTest, KeepsToTheBounds) {
  QuietPhone phone(absl::InfiniteDuration());
  phone.bounds.max = absl::Minutes(2);
  EXPECT_EQ(phone.Target(), absl::Minutes(2));
  phone.BeatUntilSettled();
  EXPECT_EQ(phone.Target(), absl::Minutes(2));
  phone.bounds = {.min = absl::Minutes(10), .max = absl::Minutes(20)};
  EXPECT_EQ(phone.Target(), absl::Minutes(10));
  phone.bounds = {};
  phone.BeatUntil(phone.now + kProbeWaitMin + kDay);
  EXPECT_EQ(phone.Target(), kLongestSilence) << "more is allowed now, and was looked for";
}

TEST(IntervalSearchTest, BeatsThatAreNotOfTheIntervalTeachNothing) {
  QuietPhone phone(absl::InfiniteDuration());
  phone.Beat();
  const NetworkRecord before = phone.record;
  const absl::Duration target = phone.Target();
  IntervalSearch search(&phone.record, phone.bounds);
  search.Survived(absl::Seconds(3), phone.now);
  search.Died(absl::Seconds(3), phone.now);
  search.Died(2 * target, phone.now);
  EXPECT_EQ(phone.record, before);
  search.Survived(2 * target, phone.now);
  EXPECT_EQ(phone.record.good, target) << "a late timer's luck proves no more than was asked";
}

TEST(IntervalSearchTest, AWallClockThatJumpsCannotPutTheProbeOffForYears) {
  QuietPhone phone(absl::Minutes(5));
  phone.BeatUntilSettled();
  phone.now -= absl::Hours(24 * 365 * 10);
  phone.SetNat(absl::InfiniteDuration());
  phone.BeatUntil(phone.now + kProbeWaitMax + kDay);
  EXPECT_EQ(phone.Target(), kLongestSilence);
}

// Whatever happens, in whatever order: a target within the bounds.
TEST(IntervalSearchTest, NoEventLeadsOutOfTheBounds) {
  std::mt19937_64 random(11);
  for (int run = 0; run < 300; ++run) {
    NetworkRecord record;
    absl::Time now = absl::FromUnixSeconds(1'767'225'600);
    SearchBounds bounds;
    for (int step = 0; step < 200; ++step) {
      if (absl::Bernoulli(random, 0.05)) {
        bounds.min = absl::Seconds(absl::Uniform(random, 1, 600));
        bounds.max = bounds.min + absl::Seconds(absl::Uniform(random, 0, 1200));
        bounds.hint = absl::Seconds(absl::Uniform(random, 0, 4000));
      }
      IntervalSearch search(&record, bounds);
      const absl::Duration target = search.Target();
      ASSERT_GE(target, bounds.min);
      ASSERT_LE(target, bounds.max);
      now += absl::Hours(absl::Uniform(random, -10.0, 100.0));
      const absl::Duration silence = target * absl::Uniform(random, 0.7, 1.2);
      if (absl::Bernoulli(random, 0.5)) {
        search.Survived(silence, now);
      } else {
        search.Died(silence, now);
      }
    }
  }
}

}  // namespace
}  // namespace bellwire::agent
