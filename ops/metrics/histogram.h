#ifndef BELLWIRE_OPS_METRICS_HISTOGRAM_H_
#define BELLWIRE_OPS_METRICS_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace bellwire::metrics {

// Upper bounds of the buckets, in the histogram's unit, ascending. A value that equals a bound
// belongs to that bucket. Values above the last bound are in a bucket of their own.

// Answers of a server, in microseconds: 0.25 ms to 10 s.
inline constexpr uint64_t kAnswerTimes[] = {250,     500,     1'000,     2'500,     5'000,
                                            10'000,  25'000,  50'000,    100'000,   250'000,
                                            500'000, 1'000'000, 2'500'000, 10'000'000};
// The way of a message to a phone, in microseconds: 1 ms to a day. A phone that is switched off
// gets its messages when it is back.
inline constexpr uint64_t kDeliveryTimes[] = {
    1'000,      2'500,      5'000,       10'000,        25'000,        50'000,
    100'000,    250'000,    500'000,     1'000'000,     2'500'000,     10'000'000,
    60'000'000, 900'000'000, 3'600'000'000, 86'400'000'000};
// Messages, such as those that wait in one mailbox.
inline constexpr uint64_t kMessageCounts[] = {1, 2, 5, 10, 20, 50, 100};
// Operations of one commit.
inline constexpr uint64_t kBatchSizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};

// How values are distributed. Observe is a short search and two relaxed additions. Thread-safe.
class Histogram {
 public:
  static constexpr size_t kMaxBounds = 16;

  // What a Prometheus histogram counts a unit as: durations are shown in seconds.
  enum class Unit : uint8_t { kMicroseconds, kItems };

  // `bounds` lives as long as the histogram. REQUIRES: at most kMaxBounds.
  explicit constexpr Histogram(absl::Span<const uint64_t> bounds, Unit unit)
      : bounds_(bounds), unit_(unit) {}
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  void Observe(uint64_t value) {
    size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  // REQUIRES: the unit is kMicroseconds. A negative time, as after a clock was set, counts as zero.
  void Observe(absl::Duration time) {
    const int64_t us = absl::ToInt64Microseconds(time);
    Observe(us > 0 ? static_cast<uint64_t>(us) : 0);
  }

  absl::Span<const uint64_t> bounds() const { return bounds_; }
  Unit unit() const { return unit_; }
  // In this bucket alone; bounds().size() is the one above the last bound.
  uint64_t count(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const absl::Span<const uint64_t> bounds_;
  const Unit unit_;
  std::array<std::atomic<uint64_t>, kMaxBounds + 1> counts_{};
  std::atomic<uint64_t> sum_{0};
};

static_assert(sizeof(kDeliveryTimes) / sizeof(uint64_t) <= Histogram::kMaxBounds);
static_assert(sizeof(kAnswerTimes) / sizeof(uint64_t) <= Histogram::kMaxBounds);

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_HISTOGRAM_H_
