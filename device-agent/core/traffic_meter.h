#ifndef BELLWIRE_DEVICE_AGENT_CORE_TRAFFIC_METER_H_
#define BELLWIRE_DEVICE_AGENT_CORE_TRAFFIC_METER_H_

#include <cstddef>
#include <deque>
#include <utility>

#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/core/server_link.h"

namespace bellwire::agent {

// What the connection cost in the last day, from counters that only grow: keeps what they were
// about every hour. Needs no timer of its own: it is told whenever something happened.
// Single-threaded.
class TrafficMeter {
 public:
  using Counters = ServerLink::Counters;
  // What is kept: an hour is close enough, and 26 pairs are nothing.
  static constexpr absl::Duration kStep = absl::Hours(1);
  static constexpr absl::Duration kDay = absl::Hours(24);

  // Counting begins, at zero. Times are Clock::Boottime().
  explicit TrafficMeter(MonotonicTime now) : marks_{{now, Counters()}} {}

  // The counters are this now. Not earlier than before.
  void Note(MonotonicTime now, const Counters& counters);

  struct Span {
    // What was added …
    Counters traffic;
    // … in so long: a day, or up to an hour more, or less if the agent is younger.
    absl::Duration time;
  };
  Span LastDay(MonotonicTime now, const Counters& counters) const;

  size_t marks() const { return marks_.size(); }

 private:
  // Never empty; the first one is where the day begins.
  std::deque<std::pair<MonotonicTime, Counters>> marks_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_TRAFFIC_METER_H_
