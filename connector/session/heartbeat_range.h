#ifndef BELLWIRE_CONNECTOR_SESSION_HEARTBEAT_RANGE_H_
#define BELLWIRE_CONNECTOR_SESSION_HEARTBEAT_RANGE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/limits.h"

namespace bellwire::connector {

// What agents are told to keep their heartbeat within (bellwire.device.v1.HeartbeatBounds), and
// what their promises count for. A longer minimum spares the server, a shorter maximum finds dead
// phones sooner; both cost batteries or messages. Whole milliseconds; 0 < min <= max <=
// kMaxHeartbeatInterval.
struct HeartbeatRange {
  absl::Duration min = kMinHeartbeatInterval;
  absl::Duration max = kMaxHeartbeatInterval;

  uint32_t min_ms() const { return static_cast<uint32_t>(absl::ToInt64Milliseconds(min)); }
  uint32_t max_ms() const { return static_cast<uint32_t>(absl::ToInt64Milliseconds(max)); }
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_HEARTBEAT_RANGE_H_
