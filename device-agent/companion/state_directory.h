#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_STATE_DIRECTORY_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_STATE_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"

// Where the companion of a user keeps its state. Blocking.
namespace bellwire::companion {

// $XDG_STATE_HOME/bellwire, or ~/.local/state/bellwire; "" if neither is known.
std::string DefaultStateDirectory();

// Makes the directory, for its user alone, and what is missing above it.
//   UNAVAILABLE STATE_DIRECTORY_UNUSABLE: the system refused, or it can't be written
absl::Status PrepareStateDirectory(const std::string& path);

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_STATE_DIRECTORY_H_
