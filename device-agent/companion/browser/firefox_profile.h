#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_FIREFOX_PROFILE_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_FIREFOX_PROFILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The settings of Firefox that choose its push server, in the files of a profile: user.js, which
// Firefox reads at each start, and prefs.js, where it keeps what it read. Blocking.
namespace bellwire::companion {

// The profiles of a user: those that profiles.ini names below `home` and `config_home`, of Debian's
// Firefox, Snap's and Flatpak's. Paths, each once.
std::vector<std::string> FindFirefoxProfiles(const std::string& home,
                                             const std::string& config_home);

// From its next start on Firefox gets its push messages at `url`. Answers whether user.js was
// another one before.
//   NOT_FOUND     there is no such folder
//   UNAVAILABLE   a file can't be read or written
absl::StatusOr<bool> TurnFirefoxOn(const std::string& profile, absl::string_view url);
// Firefox goes back to the push server that it would have without us.
//   FAILED_PRECONDITION   FIREFOX_RUNS: it would write its settings over ours; close it first
//   others as above
absl::StatusOr<bool> TurnFirefoxOff(const std::string& profile, absl::string_view url);
// Whether user.js names `url`.
absl::StatusOr<bool> IsFirefoxOn(const std::string& profile, absl::string_view url);

// The pure parts. user.js with our settings at its end, in the place of older ones of ours.
std::string WithPushServer(absl::string_view user_js, absl::string_view url);
// user.js without them.
std::string WithoutPushServer(absl::string_view user_js);
// prefs.js without what it has from them.
std::string WithoutKeptPushServer(absl::string_view prefs_js, absl::string_view url);
// The folders in the text of a profiles.ini that lies in `folder`.
std::vector<std::string> ProfilesIn(absl::string_view profiles_ini, const std::string& folder);

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_FIREFOX_PROFILE_H_
