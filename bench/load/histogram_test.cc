#include "bench/load/histogram.h"

#include "gtest/gtest.h"

namespace bellwire::bench {
namespace {

TEST(HistogramTest, PercentilesAreRightToThreePercent) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(0.5), 0);
  for (int us = 1; us <= 100'000; ++us) histogram.Add(absl::Microseconds(us));
  EXPECT_EQ(histogram.count(), 100'000u);
  for (const double part : {0.001, 0.01, 0.5, 0.9, 0.99, 0.999}) {
    EXPECT_NEAR(histogram.Percentile(part), part * 100'000, part * 100'000 * 0.035) << part;
  }
}

TEST(HistogramTest, TakesEveryDuration) {
  Histogram histogram;
  histogram.Add(absl::Microseconds(-5));
  EXPECT_EQ(histogram.Percentile(1), 0);
  histogram.Add(absl::Hours(10'000));
  EXPECT_GT(histogram.Percentile(1), 6e10);  // Two thirds of a day at least.
}

}  // namespace
}  // namespace bellwire::bench
