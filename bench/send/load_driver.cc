#include "bench/send/load_driver.h"

#include <algorithm>
#include <thread>

namespace bellwire::bench {

void SleepUntil(MonotonicTime when) {
  const absl::Duration wait = when - RealClock()->Monotonic();
  if (wait > absl::ZeroDuration()) std::this_thread::sleep_for(absl::ToChronoNanoseconds(wait));
}

void LoadDriver::Run() {
  measure_from_ = RealClock()->Monotonic() + options_.warmup;
  measure_to_ = measure_from_ + options_.time;
  if (options_.rate > 0) {
    RunAtRate();
  } else {
    for (int i = 0; i < options_.in_flight; ++i) StartUnit();
  }
  WaitUntil(measure_to_);
  while (units_done_.load() != units_started_.load()) {
    wait_(RealClock()->Monotonic() + absl::Milliseconds(2));
  }
}

void LoadDriver::WaitUntil(MonotonicTime when) {
  // Once at least: a client that is late must not stop hearing.
  do {
    wait_(when);
  } while (RealClock()->Monotonic() < when);
}

void LoadDriver::RunAtRate() {
  const MonotonicTime began = RealClock()->Monotonic();
  for (int64_t i = 0;; ++i) {
    const MonotonicTime due = began + absl::Seconds(static_cast<double>(i) / options_.rate);
    if (due >= measure_to_) return;
    WaitUntil(due);
    units_started_.fetch_add(1);
    start_(due, [this, due](int succeeded, int failed) { OnDone(due, succeeded, failed); });
  }
}

void LoadDriver::StartUnit() {
  const MonotonicTime began = RealClock()->Monotonic();
  if (began >= measure_to_) return;
  units_started_.fetch_add(1);
  start_(began, [this, began](int succeeded, int failed) {
    // Before the unit counts as done, so that Run does not end between the two.
    if (succeeded > 0) StartUnit();
    OnDone(began, succeeded, failed);
  });
}

void LoadDriver::OnDone(MonotonicTime began, int succeeded, int failed) {
  const MonotonicTime now = RealClock()->Monotonic();
  {
    absl::MutexLock lock(&mutex_);
    if (now >= measure_from_ && now < measure_to_) {
      for (int i = 0; i < succeeded; ++i) latency_.Add(now - began);
    }
    succeeded_ += succeeded;
    failed_ += failed;
  }
  units_done_.fetch_add(1);
}

nlohmann::json LoadDriver::Report() {
  absl::MutexLock lock(&mutex_);
  return {{"messages_per_second",
           static_cast<double>(latency_.count()) / absl::ToDoubleSeconds(options_.time)},
          {"p50_us", latency_.Percentile(0.5)},
          {"p99_us", latency_.Percentile(0.99)},
          {"p999_us", latency_.Percentile(0.999)},
          {"succeeded", succeeded_},
          {"failed", failed_}};
}

}  // namespace bellwire::bench
