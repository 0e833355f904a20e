#ifndef BELLWIRE_CLI_DOCTOR_FACTS_GATHER_BOUNDS_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_GATHER_BOUNDS_H_

#include <cstddef>

#include "absl/time/time.h"

// How far a look at a box goes.
namespace bellwire::cli {

// Files of a data directory that are looked at for their time; a store has hundreds.
inline constexpr int kMaxFilesLookedAt = 10000;
// Ports of one process that are probed; a server has up to five.
inline constexpr size_t kMaxPortsProbed = 8;
// How long the agent may take to say how it is.
inline constexpr absl::Duration kAgentPatience = absl::Seconds(5);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_GATHER_BOUNDS_H_
