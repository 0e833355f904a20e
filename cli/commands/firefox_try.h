#ifndef BELLWIRE_CLI_COMMANDS_FIREFOX_TRY_H_
#define BELLWIRE_CLI_COMMANDS_FIREFOX_TRY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/command.h"
#include "device-agent/companion/browser/browser_door.h"

namespace bellwire::cli {

// From the start of Firefox until its page shows the push, of which starting takes the most.
inline constexpr absl::Duration kFirefoxTryPatience = absl::Seconds(90);

struct FirefoxTryFlags {
  std::string state_dir;
  // Empty: whichever there is.
  std::string firefox;
  // Of the push service. Empty: the machine's own.
  std::string ca_file;
  std::string text = "You have mail";
  // Ends when the push is shown, instead of with Firefox.
  bool close = false;
};

// Where the packages put the server's CA; empty if there is none.
std::string DefaultPushCaFile();

// `bellwire companion firefox try`: starts a Firefox with a profile of its own, whose page
// subscribes, sends to it, and says when the page shows it. Blocks.
//   FAILED_PRECONDITION: no companion listens at `door`; Firefox ended; the page can't subscribe;
//   the server refuses the message
//   DEADLINE_EXCEEDED: kFirefoxTryPatience is over; the message says what did not happen
//   errors of TrialFirefox::Start and SendWebPush
absl::Status TryFirefox(const FirefoxTryFlags& flags, const companion::BrowserDoor& door,
                        CommandContext* context);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMANDS_FIREFOX_TRY_H_
