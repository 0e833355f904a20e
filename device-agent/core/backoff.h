#ifndef BELLWIRE_DEVICE_AGENT_CORE_BACKOFF_H_
#define BELLWIRE_DEVICE_AGENT_CORE_BACKOFF_H_

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"

namespace bellwire::agent {

// How long to wait before the next attempt: "full jitter" (AWS Architecture Blog, "Exponential
// Backoff And Jitter"), uniform in [0, min(max, base·2^n)] after n failures, so that a million
// phones whose server restarted come back spread out. Thread-compatible.
class Backoff {
 public:
  // `random` must outlive this object. REQUIRES: 0 < base <= max.
  Backoff(absl::Duration base, absl::Duration max, absl::BitGenRef random);

  // The wait after one more failure.
  absl::Duration Next();
  // It worked: the next failure is the first one again.
  void Reset() { failures_ = 0; }

 private:
  const absl::Duration base_;
  const absl::Duration max_;
  absl::BitGenRef random_;
  int failures_ = 0;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_BACKOFF_H_
