#ifndef BELLWIRE_CLI_COMMANDS_SHELL_COMMAND_H_
#define BELLWIRE_CLI_COMMANDS_SHELL_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace bellwire::cli {

// How long a command that was told to end (SIGTERM) has for it.
inline constexpr absl::Duration kShellCommandGrace = absl::Seconds(2);

// Runs `command` in a shell and waits for it. It finds `input` (at most kMaxPayloadBytes) on its
// standard input and `environment` ("NAME=value") besides ours, and need not read either. It has a
// process group of its own. Thread-safe.
//   INTERNAL: it ended with something else than 0; the message says with what
//   RESOURCE_EXHAUSTED: it could not be started
//   CANCELLED: `stop_fd` became readable first. The command was told to end, with all of its group,
//   and killed after kShellCommandGrace.
absl::Status RunShellCommand(const std::string& command,
                             const std::vector<std::string>& environment, absl::string_view input,
                             int stop_fd);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMANDS_SHELL_COMMAND_H_
