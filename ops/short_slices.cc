#include "ops/short_slices.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "ops/sched_attr.h"

namespace bellwire {
namespace {

// About what a thread of ours works at a time; the kernel takes 0.1 to 100 ms.
constexpr uint64_t kSliceNanoseconds = 200'000;

}  // namespace

absl::Status AskForShortSlices() {
  sched_attr attributes = {};
  // All else is as it is: the policy and the nice value that the process was started with.
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0) {
    // Other policies have no slices, or mean something else by them.
    if (attributes.sched_policy != SCHED_OTHER) return absl::OkStatus();
    attributes.sched_runtime = kSliceNanoseconds;
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0) return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("can't ask for short slices: ", strerror(errno)));
}

}  // namespace bellwire
