#ifndef BELLWIRE_CLI_WEB_PUSH_TRIAL_FIREFOX_H_
#define BELLWIRE_CLI_WEB_PUSH_TRIAL_FIREFOX_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::cli {

// How long a Firefox that was told to end has for it.
inline constexpr absl::Duration kFirefoxGrace = absl::Seconds(10);

// A Firefox with a profile of its own, which knows nothing of the user's and is deleted with it.
// Not thread-safe.
class TrialFirefox {
 public:
  struct Options {
    // A path, or a name to look up in PATH. Empty: firefox-esr or firefox, whichever there is.
    std::string program;
    // Where the profile is made. The user's alone.
    std::string directory;
    // "ws://127.0.0.1:PORT/SECRET": the push server (companion::TurnFirefoxOn).
    std::string push_server;
    // What it opens.
    std::string url;
    // Not owned; outlives this.
    const Clock* clock = nullptr;
  };

  //   NOT_FOUND: there is no Firefox
  //   UNAVAILABLE: the profile can't be written, or the program can't be started
  static absl::StatusOr<std::unique_ptr<TrialFirefox>> Start(Options options);

  // Ends it, waits for kFirefoxGrace, kills it, and deletes the profile.
  ~TrialFirefox();
  TrialFirefox(const TrialFirefox&) = delete;
  TrialFirefox& operator=(const TrialFirefox&) = delete;

  const std::string& program() const { return program_; }
  // Looks once, without waiting.
  bool running();
  // The end of what it said on stderr, in one line.
  std::string LastWords() const;

 private:
  TrialFirefox(const Clock* clock, std::string program, std::string profile);
  absl::Status Spawn(const std::string& url);
  std::string log_path() const { return profile_ + "/firefox.log"; }

  const Clock* const clock_;
  const std::string program_;
  const std::string profile_;
  // Of its process group; 0: it has ended, or never was.
  pid_t pid_ = 0;
};

// user.js of such a profile: no page but ours, no questions, pushes may show notifications.
std::string TrialSettings();

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_WEB_PUSH_TRIAL_FIREFOX_H_
