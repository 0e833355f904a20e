#include "ops/metrics/histogram.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::metrics {
namespace {

constexpr uint64_t kBounds[] = {1, 10, 100};

TEST(HistogramTest, AValueThatEqualsABoundIsBelowIt) {
  Histogram histogram(kBounds, Histogram::Unit::kItems);
  for (const uint64_t value : {0, 1, 2, 10, 100, 101}) histogram.Observe(uint64_t{value});
  EXPECT_EQ(histogram.count(0), 2u);
  EXPECT_EQ(histogram.count(1), 2u);
  EXPECT_EQ(histogram.count(2), 1u);
  EXPECT_EQ(histogram.count(3), 1u);
  EXPECT_EQ(histogram.sum(), 214u);
}

TEST(HistogramTest, ATimeBeforeItsBeginningIsZero) {
  Histogram histogram(kBounds, Histogram::Unit::kMicroseconds);
  histogram.Observe(-absl::Seconds(1));
  EXPECT_EQ(histogram.count(0), 1u);
  EXPECT_EQ(histogram.sum(), 0u);
  histogram.Observe(absl::Microseconds(50));
  EXPECT_EQ(histogram.count(2), 1u);
}

TEST(HistogramTest, LosesNothingBetweenThreads) {
  Histogram histogram(kBounds, Histogram::Unit::kItems);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (uint64_t n = 0; n < 10'000; ++n) histogram.Observe(n % 200);
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t all = 0;
  for (size_t bucket = 0; bucket <= histogram.bounds().size(); ++bucket) {
    all += histogram.count(bucket);
  }
  EXPECT_EQ(all, 40'000u);
}

}  // namespace
}  // namespace bellwire::metrics
