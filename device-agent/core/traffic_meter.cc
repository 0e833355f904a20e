#include "device-agent/core/traffic_meter.h"

namespace bellwire::agent {

void TrafficMeter::Note(MonotonicTime now, const Counters& counters) {
  if (now - marks_.back().first < kStep) return;
  marks_.emplace_back(now, counters);
  while (marks_.size() > 1 && now - marks_[1].first >= kDay) marks_.pop_front();
}

TrafficMeter::Span TrafficMeter::LastDay(MonotonicTime now, const Counters& counters) const {
  const auto& [begin, then] = marks_.front();
  return {.traffic = {.heartbeats_sent = counters.heartbeats_sent - then.heartbeats_sent,
                      .bytes_sent = counters.bytes_sent - then.bytes_sent,
                      .bytes_received = counters.bytes_received - then.bytes_received},
          .time = now - begin};
}

}  // namespace bellwire::agent
