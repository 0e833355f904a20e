#ifndef BELLWIRE_RPC_DIAL_BACKOFF_H_
#define BELLWIRE_RPC_DIAL_BACKOFF_H_

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire {

// When a connection that broke may be tried again: after a random half to whole of
// kConnectorDialBase, twice that the next time, and so on to kConnectorDialMax, so that the callers
// of a connector that came back don't arrive together. Thread-compatible.
class DialBackoff {
 public:
  // `clock` must outlive this.
  explicit DialBackoff(const Clock* clock) : clock_(clock) {}

  // Whether to dial now. True at first.
  bool MayDial() const { return clock_->Monotonic() >= not_before_; }

  // The peer answered: the next break counts as the first one.
  void OnOpened();
  // An attempt failed, or an open connection broke.
  void OnEnded();

 private:
  const Clock* const clock_;
  MonotonicTime not_before_;
  absl::Duration next_delay_ = absl::ZeroDuration();  // Zero: the base.
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_DIAL_BACKOFF_H_
