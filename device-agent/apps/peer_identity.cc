#include "device-agent/apps/peer_identity.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bellwire::agent {
namespace {

// More than any cgroup or .flatpak-info has; the rest is not looked at.
constexpr size_t kMaxText = 16 * 1024;

// Empty: it can't be read.
std::string ReadText(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return "";
  std::string text(kMaxText, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = read(fd, text.data() + size, text.size() - size);
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  close(fd);
  text.resize(size);
  return text;
}

// Empty: it can't be read, or is longer than any path is.
std::string ReadExecutable(pid_t pid) {
  std::string path(PATH_MAX, '\0');
  const ssize_t n = readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), path.data(), path.size());
  path.resize(n <= 0 || n == static_cast<ssize_t>(path.size()) ? 0 : static_cast<size_t>(n));
  return path;
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// Of one directory of a cgroup's path.
std::string SandboxOfUnit(absl::string_view unit, bool is_system) {
  absl::string_view name = unit;
  // systemd's naming for desktop apps: app-LAUNCHER-ID-NUMBER.scope.
  if (absl::ConsumePrefix(&name, "app-flatpak-") && absl::ConsumeSuffix(&name, ".scope")) {
    const size_t dash = name.rfind('-');
    if (dash != absl::string_view::npos && dash > 0 && IsDigits(name.substr(dash + 1))) {
      return absl::StrCat("flatpak:", name.substr(0, dash));
    }
  }
  name = unit;
  if (absl::ConsumePrefix(&name, "snap.") &&
      (absl::EndsWith(name, ".scope") || absl::EndsWith(name, ".service"))) {
    const absl::string_view snap = name.substr(0, name.find('.'));
    if (!snap.empty()) return absl::StrCat("snap:", snap);
  }
  name = unit;
  // Only root makes units of the system.
  if (is_system && absl::StartsWith(name, "bellwire-app@") &&
      absl::ConsumeSuffix(&name, ".service")) {
    return absl::StrCat("unit:", name);
  }
  return "";
}

}  // namespace

std::string SandboxOfCgroup(absl::string_view cgroups) {
  for (const absl::string_view line : absl::StrSplit(cgroups, '\n')) {
    // hierarchy:controllers:path; systemd's is 0:: or, of the old kind, name=systemd.
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const bool is_systemd = (fields[0] == "0" && fields[1].empty()) || fields[1] == "name=systemd";
    if (!is_systemd) continue;
    const bool is_system = absl::StartsWith(fields[2], "/system.slice/");
    for (const absl::string_view unit : absl::StrSplit(fields[2], '/')) {
      if (std::string sandbox = SandboxOfUnit(unit, is_system); !sandbox.empty()) return sandbox;
    }
  }
  return "";
}

std::string SandboxOfFlatpakInfo(absl::string_view info) {
  absl::string_view section;
  for (absl::string_view line : absl::StrSplit(info, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::StartsWith(line, "[")) section = line;
    if (section == "[Application]" && absl::ConsumePrefix(&line, "name=") && !line.empty()) {
      return absl::StrCat("flatpak:", line);
    }
  }
  return "";
}

absl::StatusOr<PeerIdentity> IdentifyPeer(const net::PeerCredentials& peer) {
  PeerIdentity identity{.owner = AppOwner(peer.uid), .executable = ""};
  AppOwner& owner = identity.owner;
  // Of a pid namespace that is not below ours.
  if (peer.pid <= 0) return identity;
  identity.executable = ReadExecutable(peer.pid);
  owner.sandbox =
      SandboxOfFlatpakInfo(ReadText(absl::StrCat("/proc/", peer.pid, "/root/.flatpak-info")));
  if (owner.sandbox.empty()) {
    owner.sandbox = SandboxOfCgroup(ReadText(absl::StrCat("/proc/", peer.pid, "/cgroup")));
  }
  // If it lives still, the number was its own while we read.
  bool gone;
  if (peer.pidfd >= 0) {
    pollfd process = {.fd = peer.pidfd, .events = POLLIN, .revents = 0};
    gone = poll(&process, 1, 0) != 0;
  } else {
    gone = kill(peer.pid, 0) != 0 && errno == ESRCH;
  }
  if (gone) return absl::FailedPreconditionError("the process that connected is gone");
  return identity;
}

}  // namespace bellwire::agent
