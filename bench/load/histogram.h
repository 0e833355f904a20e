#ifndef BELLWIRE_BENCH_LOAD_HISTOGRAM_H_
#define BELLWIRE_BENCH_LOAD_HISTOGRAM_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace bellwire::bench {

// Latencies in buckets that are 1/16 of their value wide, from 1 µs on: a percentile is right to
// about three percent, however many there are. Single-threaded.
class Histogram {
 public:
  void Add(absl::Duration latency) {
    const int64_t us = absl::ToInt64Microseconds(latency);
    ++buckets_[BucketOf(us < 0 ? 0 : static_cast<uint64_t>(us))];
    ++count_;
  }
  uint64_t count() const { return count_; }

  // The latency that `part` (0 to 1) of them don't exceed: the middle of its bucket; 0 if there is
  // none.
  double Percentile(double part) const {
    if (count_ == 0) return 0;
    const double wanted = part * static_cast<double>(count_);
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return MiddleOf(i);
    }
    return MiddleOf(buckets_.size() - 1);
  }

 private:
  static constexpr uint64_t kSteps = 16;
  static constexpr int kStepBits = 4;

  static size_t BucketOf(uint64_t us) {
    if (us < kSteps) return us;
    const int power = std::bit_width(us) - 1 - kStepBits;
    const size_t bucket = static_cast<size_t>(power + 1) * kSteps + ((us >> power) - kSteps);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  // In microseconds.
  static double MiddleOf(size_t bucket) {
    if (bucket < kSteps) return static_cast<double>(bucket);
    const size_t power = bucket / kSteps - 1;
    const double width = static_cast<double>(uint64_t{1} << power);
    return (static_cast<double>(kSteps + bucket % kSteps) + 0.5) * width;
  }

  // Up to 2^36 µs: most of a day.
  static constexpr size_t kBuckets = 33 * kSteps;
  std::array<uint64_t, kBuckets> buckets_ = {};
  uint64_t count_ = 0;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_LOAD_HISTOGRAM_H_
