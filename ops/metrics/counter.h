#ifndef BELLWIRE_OPS_METRICS_COUNTER_H_
#define BELLWIRE_OPS_METRICS_COUNTER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bellwire::metrics {

// Threads are spread over so many parts of a counter. More than the threads that a busy process
// has, so that two of them seldom write to one cache line.
inline constexpr size_t kCounterParts = 4;

// How often something happened. Add is one relaxed addition to a cache line that other threads
// seldom touch, so it may stand on the path of every message. (prometheus::Counter adds with a
// compare-and-swap of a double on one line, and prometheus::Histogram takes a mutex.)
//
// Thread-safe.
class Counter {
 public:
  Counter() = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  void Add(uint64_t n = 1) {
    parts_[PartOfThisThread()].value.fetch_add(n, std::memory_order_relaxed);
  }
  uint64_t value() const {
    uint64_t sum = 0;
    for (const Part& part : parts_) sum += part.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  struct alignas(64) Part {
    std::atomic<uint64_t> value{0};
  };

  static size_t PartOfThisThread() {
    static std::atomic<size_t> threads{0};
    thread_local const size_t part =
        threads.fetch_add(1, std::memory_order_relaxed) % kCounterParts;
    return part;
  }

  std::array<Part, kCounterParts> parts_;
};

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_COUNTER_H_
