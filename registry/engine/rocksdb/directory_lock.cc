#include "registry/engine/rocksdb/directory_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {

namespace {

absl::Status LockedError(int fd, const std::string& directory, absl::string_view advice) {
  char text[32] = {};
  // Only for the message; the holder may not have written it yet, and one that only reads never
  // does.
  const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
  int pid = 0;
  const bool known = n > 0 && absl::SimpleAtoi(absl::StripSuffix(text, "\n"), &pid) && pid > 0 &&
                     (kill(pid, 0) == 0 || errno == EPERM);
  return MakeError(absl::StatusCode::kFailedPrecondition, "STORE_LOCKED",
                   absl::StrCat("the registry's store ", directory, " is in use by another process",
                                known ? absl::StrCat(" (pid ", pid, ")") : "", ": ", advice));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(const std::string& directory) {
  const std::string path = directory + "/bellwire.lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return StoreUnavailableError(absl::StrCat(path, ": ", strerror(errno)));
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return StoreUnavailableError(absl::StrCat(path, ": ", strerror(errno)));
    return LockedError(fd, directory,
                       "only one may open it. Stop that one, or use another --data_dir.");
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) != 0 ||
      pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    // The lock holds all the same; a full disk must not keep a store from being opened.
  }
  return lock;
}

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::TakeToRead(
    const std::string& directory) {
  const std::string path = directory + "/bellwire.lock";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return nullptr;
    return StoreUnavailableError(absl::StrCat(path, ": ", strerror(errno)));
  }
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(fd));
  if (flock(fd, LOCK_SH | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return StoreUnavailableError(absl::StrCat(path, ": ", strerror(errno)));
  return LockedError(fd, directory, "stop it first.");
}

// The file stays: to remove it would let two processes lock two files of that name.
DirectoryLock::~DirectoryLock() { close(fd_); }

}  // namespace bellwire::registry
