#include "device-agent/companion/state_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::companion {

std::string DefaultStateDirectory() {
  const char* const state_home = std::getenv("XDG_STATE_HOME");
  // The specification ignores relative paths.
  if (state_home != nullptr && state_home[0] == '/') return absl::StrCat(state_home, "/bellwire");
  const char* const home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return absl::StrCat(home, "/.local/state/bellwire");
  return "";
}

absl::Status PrepareStateDirectory(const std::string& path) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (!error && mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error && access(path.c_str(), W_OK | X_OK) != 0) {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnavailable, "STATE_DIRECTORY_UNUSABLE",
                   absl::StrCat("can't use the state directory ", path, ": ", error.message()));
}

}  // namespace bellwire::companion
