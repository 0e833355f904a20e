#ifndef BELLWIRE_RPC_STREAM_PULSE_H_
#define BELLWIRE_RPC_STREAM_PULSE_H_

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire {

// When one end of a stream has to say something, and when its peer has been silent for too long. A
// peer that sleeps, or a way that swallows everything, breaks no connection by itself. Pure.
// Thread-compatible.
class StreamPulse {
 public:
  // Each end says something so often …
  static constexpr absl::Duration kBeat = absl::Seconds(2);
  // … and ends the stream after so long a silence of the other one.
  static constexpr absl::Duration kSilence = absl::Seconds(6);
  static_assert(kSilence > kBeat, "a beat or two may be late");

  explicit StreamPulse(MonotonicTime now) : heard_(now), spoke_(now) {}

  void OnHeard(MonotonicTime now) { heard_ = now; }
  void OnSpoke(MonotonicTime now) { spoke_ = now; }

  bool IsBroken(MonotonicTime now) const { return now - heard_ >= kSilence; }
  bool HasToSpeak(MonotonicTime now) const { return now - spoke_ >= kBeat; }

 private:
  MonotonicTime heard_;
  MonotonicTime spoke_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_STREAM_PULSE_H_
