#include "connector/shard/drain_plan.h"

#include <algorithm>
#include <cmath>

#include "common/limits.h"

namespace bellwire::connector {

DrainPlan::DrainPlan(size_t connections, absl::Duration time)
    : connections_(connections),
      // The last one needs its time too.
      spread_(std::clamp(
          absl::Seconds(1) *
              (static_cast<double>(connections) / static_cast<double>(kDrainConnectionsPerSecond)),
          absl::ZeroDuration(), std::max(absl::ZeroDuration(), time - 2 * kGoAwayLinger))) {}

size_t DrainPlan::DueAfter(absl::Duration elapsed) const {
  if (elapsed >= spread_) return connections_;
  if (elapsed <= absl::ZeroDuration()) return 0;
  const double part = absl::FDivDuration(elapsed, spread_);
  return std::min(connections_,
                  static_cast<size_t>(std::ceil(part * static_cast<double>(connections_))));
}

}  // namespace bellwire::connector
