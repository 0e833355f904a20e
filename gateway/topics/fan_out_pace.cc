#include "gateway/topics/fan_out_pace.h"

#include <algorithm>

namespace bellwire::gateway {

FanOutPace::FanOutPace(const Options& options, MonotonicTime now)
    : options_(options), limit_(options.min), base_began_(now), window_began_(now) {}

void FanOutPace::OnServed(absl::Duration took, MonotonicTime now) {
  if (now - base_began_ >= kBaseTime) {
    fastest_before_ = fastest_;
    fastest_ = absl::InfiniteDuration();
    base_began_ = now;
  }
  fastest_ = std::min(fastest_, took);
  ++served_;
  took_ += took;
  // A window of few calls would be judged by luck.
  if (now - window_began_ >= options_.window && served_ >= limit_) EndWindow(now);
}

void FanOutPace::OnRefused(MonotonicTime now) {
  limit_ = options_.min;
  window_began_ = now;
  served_ = 0;
  took_ = absl::ZeroDuration();
}

void FanOutPace::EndWindow(MonotonicTime now) {
  const absl::Duration average = took_ / static_cast<int64_t>(served_);
  const absl::Duration base = std::min(fastest_, fastest_before_);
  if (average > base * options_.stretch + options_.slack) {
    limit_ = std::max(options_.min, limit_ - limit_ / 4);
  } else {
    limit_ = std::min(options_.max, limit_ + std::max<size_t>(1, limit_ / 8));
  }
  window_began_ = now;
  served_ = 0;
  took_ = absl::ZeroDuration();
}

}  // namespace bellwire::gateway
