#include "device-agent/companion/browser/firefox_profile.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"

namespace bellwire::companion {
namespace {

namespace fs = std::filesystem;

constexpr char kBegin[] = "// Bellwire begins: `bellwire companion firefox off` takes it away.";
constexpr char kEnd[] = "// Bellwire ends.";
constexpr char kServerUrl[] = "user_pref(\"dom.push.serverURL\", \"";
constexpr char kAllowInsecure[] = "user_pref(\"dom.push.testing.allowInsecureServerURL\", true);";

// Where the browsers of Debian, Mozilla, Snap and Flatpak have their profiles, below the home.
constexpr const char* kFoldersInHome[] = {
    ".mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/config/mozilla/firefox",
};

std::string ServerUrlLine(absl::string_view url) { return absl::StrCat(kServerUrl, url, "\");"); }

absl::StatusOr<std::string> Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::string();
    return absl::UnavailableError(
        absl::StrCat("can't read ", path.string(), ": ", std::strerror(errno)));
  }
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// Writes the file if it changes; answers whether it did. A link stays one.
absl::StatusOr<bool> Write(const fs::path& path, const std::string& before,
                           const std::string& after) {
  if (after == before) return false;
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  BELLWIRE_RETURN_IF_ERROR(
      ReplaceFileAtomically(error ? path.string() : real.string(), after, FileAccess::kPrivate));
  return true;
}

absl::Status CheckProfile(const std::string& profile) {
  std::error_code error;
  if (fs::is_directory(profile, error)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("there is no folder ", profile));
}

// Firefox holds a lock on this file while it has the profile open.
bool FirefoxRuns(const fs::path& profile) {
  const int fd = open((profile / ".parentlock").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool is_locked = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(fd);
  return is_locked;
}

// The lines of `text` for which `keep` answers true.
template <typename Keep>
std::string Filter(absl::string_view text, Keep keep) {
  std::vector<absl::string_view> kept;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (keep(absl::StripSuffix(line, "\r"))) kept.push_back(line);
  }
  return absl::StrJoin(kept, "\n");
}

}  // namespace

std::string WithoutPushServer(absl::string_view user_js) {
  bool is_ours = false;
  return Filter(user_js, [&](absl::string_view line) {
    if (line == kBegin) is_ours = true;
    const bool keep = !is_ours;
    if (line == kEnd) is_ours = false;
    return keep;
  });
}

std::string WithPushServer(absl::string_view user_js, absl::string_view url) {
  std::string text = WithoutPushServer(user_js);
  if (!text.empty() && text.back() != '\n') text += '\n';
  absl::StrAppend(&text, kBegin, "\n", ServerUrlLine(url), "\n", kAllowInsecure, "\n", kEnd, "\n");
  return text;
}

std::string WithoutKeptPushServer(absl::string_view prefs_js, absl::string_view url) {
  const std::string ours = ServerUrlLine(url);
  const std::vector<absl::string_view> lines = absl::StrSplit(prefs_js, '\n');
  if (std::find(lines.begin(), lines.end(), ours) == lines.end()) return std::string(prefs_js);
  return Filter(prefs_js,
                [&](absl::string_view line) { return line != ours && line != kAllowInsecure; });
}

std::vector<std::string> ProfilesIn(absl::string_view profiles_ini, const std::string& folder) {
  std::vector<std::string> found;
  std::string path;
  bool is_profile = false;
  bool is_relative = true;
  const auto end_section = [&] {
    if (is_profile && !path.empty()) found.push_back(is_relative ? folder + "/" + path : path);
    path.clear();
    is_relative = true;
  };
  for (absl::string_view line : absl::StrSplit(profiles_ini, '\n')) {
    line = absl::StripSuffix(line, "\r");
    if (absl::StartsWith(line, "[")) {
      end_section();
      is_profile = absl::StartsWith(line, "[Profile");
    } else if (absl::ConsumePrefix(&line, "Path=")) {
      path = std::string(line);
    } else if (absl::ConsumePrefix(&line, "IsRelative=")) {
      is_relative = line != "0";
    }
  }
  end_section();
  return found;
}

std::vector<std::string> FindFirefoxProfiles(const std::string& home,
                                             const std::string& config_home) {
  std::vector<std::string> folders;
  for (const char* folder : kFoldersInHome) folders.push_back(absl::StrCat(home, "/", folder));
  folders.push_back(absl::StrCat(config_home, "/mozilla/firefox"));
  std::vector<std::string> profiles;
  for (const std::string& folder : folders) {
    const absl::StatusOr<std::string> text = Read(folder + "/profiles.ini");
    if (!text.ok()) continue;
    for (std::string& profile : ProfilesIn(*text, folder)) {
      if (CheckProfile(profile).ok() &&
          std::find(profiles.begin(), profiles.end(), profile) == profiles.end()) {
        profiles.push_back(std::move(profile));
      }
    }
  }
  return profiles;
}

absl::StatusOr<bool> TurnFirefoxOn(const std::string& profile, absl::string_view url) {
  BELLWIRE_RETURN_IF_ERROR(CheckProfile(profile));
  const fs::path path = fs::path(profile) / "user.js";
  BELLWIRE_ASSIGN_OR_RETURN(const std::string before, Read(path));
  return Write(path, before, WithPushServer(before, url));
}

absl::StatusOr<bool> TurnFirefoxOff(const std::string& profile, absl::string_view url) {
  BELLWIRE_RETURN_IF_ERROR(CheckProfile(profile));
  const fs::path user_path = fs::path(profile) / "user.js";
  const fs::path prefs_path = fs::path(profile) / "prefs.js";
  BELLWIRE_ASSIGN_OR_RETURN(const std::string user, Read(user_path));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string prefs, Read(prefs_path));
  const std::string new_user = WithoutPushServer(user);
  const std::string new_prefs = WithoutKeptPushServer(prefs, url);
  if (new_user == user && new_prefs == prefs) return false;
  if (FirefoxRuns(profile)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "FIREFOX_RUNS",
                     absl::StrCat("Firefox has ", profile, " open: close it, then say it again"));
  }
  BELLWIRE_RETURN_IF_ERROR(Write(prefs_path, prefs, new_prefs).status());
  BELLWIRE_RETURN_IF_ERROR(Write(user_path, user, new_user).status());
  return true;
}

absl::StatusOr<bool> IsFirefoxOn(const std::string& profile, absl::string_view url) {
  BELLWIRE_RETURN_IF_ERROR(CheckProfile(profile));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string user, Read(fs::path(profile) / "user.js"));
  return absl::StrContains(user, ServerUrlLine(url));
}

}  // namespace bellwire::companion
