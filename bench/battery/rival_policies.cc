#include "bench/battery/rival_policies.h"

#include <algorithm>

namespace bellwire::bench {
namespace {

constexpr absl::Duration kMicroGMin = absl::Minutes(5);
constexpr absl::Duration kMicroGMax = absl::Minutes(30);

constexpr absl::Duration kMarsMin = absl::Seconds(210);
constexpr absl::Duration kMarsMax = absl::Seconds(600);
constexpr absl::Duration kMarsStep = absl::Seconds(60);
constexpr absl::Duration kMarsMargin = absl::Seconds(20);
constexpr int kMarsSuccesses = 5;
constexpr int kMarsFailures = 2;
constexpr int kMarsFirstBeats = 3;
constexpr absl::Duration kMarsRetry = absl::Hours(7 * 24);

}  // namespace

void MicroG::OnAlive(absl::Duration) { interval_ = std::min(kMicroGMax, interval_ * 1.02); }

void MicroG::OnDead(absl::Duration) { interval_ = std::max(kMicroGMin, interval_ * 0.95); }

absl::Duration Mars::interval() const {
  if (present_ == nullptr || beats_at_minimum_ > 0) return kMarsMin;
  return present_->current;
}

void Mars::OnReady() {
  present_ = &known_[network_().Id()];
  beats_at_minimum_ = kMarsFirstBeats;
}

void Mars::OnAlive(absl::Duration) {
  if (beats_at_minimum_ > 0) {
    --beats_at_minimum_;
    return;
  }
  present_->failures = 0;
  if (present_->stable) {
    if (clock_->WallNow() - present_->stable_since < kMarsRetry) return;
    present_->stable = false;
    present_->current = std::min(kMarsMax, present_->current + kMarsMargin);
    present_->successes = 0;
    return;
  }
  if (++present_->successes < kMarsSuccesses) return;
  present_->successes = 0;
  if (present_->current >= kMarsMax) return Settle(present_, kMarsMax);
  present_->current = std::min(kMarsMax, present_->current + kMarsStep);
}

void Mars::OnDead(absl::Duration) {
  if (beats_at_minimum_ > 0) return;
  present_->successes = 0;
  if (++present_->failures < kMarsFailures) return;
  if (present_->stable) {
    *present_ = Known();
  } else {
    Settle(present_, present_->current - kMarsStep);
  }
}

void Mars::Settle(Known* known, absl::Duration worked) {
  known->current = std::max(kMarsMin, worked - kMarsMargin);
  known->stable = true;
  known->stable_since = clock_->WallNow();
  known->failures = 0;
}

}  // namespace bellwire::bench
