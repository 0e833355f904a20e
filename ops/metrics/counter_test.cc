#include "ops/metrics/counter.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::metrics {
namespace {

TEST(CounterTest, CountsWhatAllThreadsAdd) {
  Counter counter;
  constexpr int kThreads = 3 * kCounterParts;
  constexpr int kEach = 10'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) counter.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), uint64_t{kThreads} * kEach);
  counter.Add(5);
  EXPECT_EQ(counter.value(), uint64_t{kThreads} * kEach + 5);
}

}  // namespace
}  // namespace bellwire::metrics
