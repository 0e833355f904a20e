#ifndef BELLWIRE_BENCH_SEND_LOAD_DRIVER_H_
#define BELLWIRE_BENCH_SEND_LOAD_DRIVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bench/load/histogram.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"

namespace bellwire::bench {

// A LoadDriver::Wait for clients that have threads of their own.
void SleepUntil(MonotonicTime when);

// Asks for units of work, closed loop (a number of them in flight) or at a fixed rate, and measures
// from a time on. A unit is a call, a batch of messages, or a message of a stream. At a fixed rate
// the latency counts from when a unit was due, so that a server that stalls is not spared the ones
// behind it. In a closed loop a place whose unit failed as a whole stays empty.
class LoadDriver {
 public:
  struct Options {
    int in_flight = 1;
    // Units a second. 0: closed loop.
    double rate = 0;
    // Before anything is measured, and how long that is done.
    absl::Duration warmup = absl::Seconds(1);
    absl::Duration time = absl::Seconds(5);
  };
  // To be called once, on any thread, with how many messages of the unit succeeded and failed.
  using Done = absl::AnyInvocable<void(int succeeded, int failed) &&>;
  // Starts one unit; `began` is what its latency counts from. Called on any thread, also from
  // within a Done of another unit.
  using Start = std::function<void(MonotonicTime began, Done done)>;

  // Waits until then, or less long. Called on the thread of Run: a client that has no threads of
  // its own does its work meanwhile.
  using Wait = std::function<void(MonotonicTime until)>;

  LoadDriver(const Options& options, Start start, Wait wait)
      : options_(options), start_(std::move(start)), wait_(std::move(wait)) {}

  // Blocks until everything that was started is done.
  void Run();

  // {"messages_per_second", "p50_us", "p99_us", "p999_us", "succeeded", "failed"}; the last two
  // count what was outside of the measured time too.
  nlohmann::json Report();

 private:
  // May start another unit.
  void StartUnit();
  void OnDone(MonotonicTime began, int succeeded, int failed);
  void RunAtRate();
  void WaitUntil(MonotonicTime when);

  const Options options_;
  const Start start_;
  const Wait wait_;
  MonotonicTime measure_from_;
  MonotonicTime measure_to_;
  std::atomic<int64_t> units_started_{0};
  std::atomic<int64_t> units_done_{0};
  absl::Mutex mutex_;
  Histogram latency_ ABSL_GUARDED_BY(mutex_);
  int64_t succeeded_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t failed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_LOAD_DRIVER_H_
