#ifndef BELLWIRE_OPS_SHORT_SLICES_H_
#define BELLWIRE_OPS_SHORT_SLICES_H_

#include "absl/status/status.h"

namespace bellwire {

// Asks the scheduler to let this thread, and those that it starts from now on, run sooner and for
// less at a time. A Send passes through half a dozen threads, each of which works for a tenth of a
// millisecond; on a busy machine each would wait until whoever has the processor has used up a
// slice of one and more. Takes no share of the processor from anybody. For servers; REQUIRES: no
// other thread runs yet.
//
// Linux from 6.12 on (EEVDF: a shorter slice is an earlier deadline, sched(7) and sched_setattr(2),
// sched_runtime); older kernels take it and do nothing.
//   UNAVAILABLE: the kernel or a sandbox refuses, and everything stays as it was
absl::Status AskForShortSlices();

}  // namespace bellwire

#endif  // BELLWIRE_OPS_SHORT_SLICES_H_
