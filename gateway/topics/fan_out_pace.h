#ifndef BELLWIRE_GATEWAY_TOPICS_FAN_OUT_PACE_H_
#define BELLWIRE_GATEWAY_TOPICS_FAN_OUT_PACE_H_

#include <cstddef>

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::gateway {

// How many calls of fan-outs may be under way so that nobody else waits for them. A fan-out is in
// no hurry, and a Send is: so it takes what capacity is left and gives way as soon as a queue
// begins.
//
// As LEDBAT (RFC 6817) it measures the queue by its own calls. The fastest call of the latest
// kBaseTime says what one takes without a queue. As long as the calls of a window of time take
// little longer, on the average, one more may be under way; when they take too long, a quarter
// less. What other gateways and Sends make of the queue counts as well, since it is the same queue.
//
// Pure. Not thread-safe.
class FanOutPace {
 public:
  struct Options {
    size_t min = 4;
    size_t max = 256;
    // The average of a window may be so many times the fastest, and this much more.
    double stretch = 2;
    absl::Duration slack = absl::Milliseconds(1);
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
