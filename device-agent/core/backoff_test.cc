#include "device-agent/core/backoff.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

constexpr absl::Duration kBase = absl::Seconds(1);
constexpr absl::Duration kMax = absl::Minutes(5);

TEST(BackoffTest, EachWaitIsBelowItsCeiling) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    Backoff backoff(kBase, kMax, random);
    absl::Duration ceiling = kBase;
    for (int i = 0; i < 40; ++i) {
      const absl::Duration wait = backoff.Next();
      EXPECT_GE(wait, absl::ZeroDuration());
      EXPECT_LE(wait, ceiling);
      ceiling = std::min(kMax, ceiling * 2);
    }
  }
}

// The jitter is full: waits fill the whole range, also near zero.
TEST(BackoffTest, FillsTheRange) {
  std::mt19937_64 random(2);
  absl::Duration least = kMax;
  absl::Duration most;
  absl::Duration sum;
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; ++round) {
    Backoff backoff(kMax, kMax, random);
    const absl::Duration wait = backoff.Next();
    least = std::min(least, wait);
    most = std::max(most, wait);
    sum += wait;
  }
  EXPECT_LT(least, kMax * 0.02);
  EXPECT_GT(most, kMax * 0.98);
  EXPECT_GT(sum / kRounds, kMax * 0.45);
  EXPECT_LT(sum / kRounds, kMax * 0.55);
}

TEST(BackoffTest, ResetStartsFromTheBase) {
  std::mt19937_64 random(3);
  Backoff backoff(kBase, kMax, random);
  for (int i = 0; i < 20; ++i) backoff.Next();
  backoff.Reset();
  EXPECT_LE(backoff.Next(), kBase);
}

}  // namespace
}  // namespace bellwire::agent
