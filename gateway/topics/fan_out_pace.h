#ifndef BELLWIRE_GATEWAY_TOPICS_FAN_OUT_PACE_H_
#define BELLWIRE_GATEWAY_TOPICS_FAN_OUT_PACE_H_

#include <cstddef>

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::gateway {

// How many calls of fan-outs may be under way. A single Send is urgent and a fan-out is not, so a
// fan-out takes the capacity that is left and gives way as soon as a queue begins.
//
// As LEDBAT (RFC 6817) it measures the queue by its own calls. The fastest call of the latest
// kBaseTime says what one takes without a queue. If the average call of a window takes little
// longer, the limit grows by one; if it takes too long, the limit shrinks by a quarter. The queue
// is shared, so what other gateways and Sends put into it counts as well.
//
// Pure. Not thread-safe.
class FanOutPace {
 public:
  struct Options {
    size_t min = 4;
    size_t max = 256;
    // The average of a window may be so many times the fastest, and this much more.
    double stretch = 1.5;
    absl::Duration slack = absl::Microseconds(250);
    absl::Duration window = absl::Milliseconds(50);
  };
  // The fastest call is forgotten after one to two of these.
  static constexpr absl::Duration kBaseTime = absl::Seconds(10);

  FanOutPace(const Options& options, MonotonicTime now);

  size_t limit() const { return limit_; }

  // A call took so long and was served. What was refused or failed is not reported.
  void OnServed(absl::Duration took, MonotonicTime now);
  // The registry refused a call, or did not answer it.
  void OnRefused(MonotonicTime now);

 private:
  void EndWindow(MonotonicTime now);

  const Options options_;
  size_t limit_;
  // Of this kBaseTime, and of the one before.
  absl::Duration fastest_ = absl::InfiniteDuration();
  absl::Duration fastest_before_ = absl::InfiniteDuration();
  MonotonicTime base_began_;
  // Of this window.
  MonotonicTime window_began_;
  size_t served_ = 0;
  absl::Duration took_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_FAN_OUT_PACE_H_
