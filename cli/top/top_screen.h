#ifndef BELLWIRE_CLI_TOP_TOP_SCREEN_H_
#define BELLWIRE_CLI_TOP_TOP_SCREEN_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ops/overview/watch.h"

namespace bellwire::cli {

// Shows a look each `interval` on the whole terminal, until somebody presses q. Blocking.
//   FAILED_PRECONDITION NO_TERMINAL: stdout is none
absl::Status RunTopScreen(metrics::Watch* watch, absl::Duration interval);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_TOP_TOP_SCREEN_H_
