#include "device-agent/core/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::agent {
namespace {

absl::Status Unusable(absl::string_view path, int error) {
  return MakeError(absl::StatusCode::kUnavailable, "STATE_DIRECTORY_UNUSABLE",
                   absl::StrCat("can't use the state directory ", path, ": ", strerror(error)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDirectory>> StateDirectory::Lock(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Unusable(path, errno);
  const std::string lock_path = absl::StrCat(path, "/lock");
  const int fd = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Unusable(path, errno);
  // A lock of the open file, so that it also holds against a second agent in this process.
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(fd);
    if (error != EWOULDBLOCK) return Unusable(path, error);
    return MakeError(absl::StatusCode::kFailedPrecondition, "STATE_DIRECTORY_IN_USE",
                     absl::StrCat("another agent runs on ", path,
                                  ": stop it, or give this one a --state_dir of its own"));
  }
  return std::unique_ptr<StateDirectory>(new StateDirectory(path, fd));
}

StateDirectory::~StateDirectory() { close(lock_fd_); }

std::string StateDirectory::PathOf(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

}  // namespace bellwire::agent
