#include "ops/service_manager.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bellwire {
namespace {

absl::Status Unavailable(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat("NOTIFY_SOCKET: ", what));
}

}  // namespace

absl::Status NotifyServiceManager(absl::string_view state) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return absl::OkStatus();
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const size_t size = strlen(path);
  if ((path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path)) {
    return Unavailable("no path of a socket");
  }
  memcpy(address.sun_path, path, size);
  // An abstract one.
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Unavailable(strerror(errno));
  const ssize_t sent = sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address),
                              static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
  const int error = errno;
  close(fd);
  if (sent != static_cast<ssize_t>(state.size())) return Unavailable(strerror(error));
  return absl::OkStatus();
}

std::optional<absl::Duration> WatchdogInterval() {
  const char* microseconds = getenv("WATCHDOG_USEC");
  const char* pid = getenv("WATCHDOG_PID");
  int64_t us = 0;
  if (microseconds == nullptr || !absl::SimpleAtoi(microseconds, &us) || us <= 0) {
    return std::nullopt;
  }
  // Not for us: of a parent that forgot to take it out of the environment.
  int64_t meant = 0;
  if (pid != nullptr && (!absl::SimpleAtoi(pid, &meant) || meant != getpid())) return std::nullopt;
  return absl::Microseconds(us);
}

}  // namespace bellwire
