#ifndef BELLWIRE_CONNECTOR_SHARD_DRAIN_PLAN_H_
#define BELLWIRE_CONNECTOR_SHARD_DRAIN_PLAN_H_

#include <cstddef>

#include "absl/time/time.h"

namespace bellwire::connector {

// How fast a shard sends its agents away: evenly, no faster than kDrainConnectionsPerSecond, unless
// the time it has is too short for that. So a few agents are gone at once, and a crowd does not
// arrive elsewhere as one. Pure.
class DrainPlan {
 public:
  // `connections` are to be sent away; all of them are closed within `time`.
  DrainPlan(size_t connections, absl::Duration time);

  // How many are to have been sent away `elapsed` after the start.
  size_t DueAfter(absl::Duration elapsed) const;

 private:
  const size_t connections_;
  const absl::Duration spread_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_DRAIN_PLAN_H_
