#include "crypto/file_util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire {
namespace {

class ScopedFd {
 public:
  explicit ScopedFd(int fd) : fd_(fd) {}
  ~ScopedFd() {
    if (fd_ >= 0) close(fd_);
  }
  ScopedFd(const ScopedFd&) = delete;
  ScopedFd& operator=(const ScopedFd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// Removes the temporary file on whatever way out.
class ScopedUnlink {
 public:
  explicit ScopedUnlink(std::string path) : path_(std::move(path)) {}
  ~ScopedUnlink() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  ScopedUnlink(const ScopedUnlink&) = delete;
  ScopedUnlink& operator=(const ScopedUnlink&) = delete;
  void Release() { path_.clear(); }

 private:
  std::string path_;
};

absl::Status NotWritten(const std::string& path, int error) {
  return MakeError(absl::StatusCode::kUnavailable, "FILE_NOT_WRITTEN",
                   absl::StrCat("can't write ", path, ": ", strerror(error)));
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// 0 or an errno.
int WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    data.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

int SyncDirectory(const std::string& directory) {
  const ScopedFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || fsync(fd.get()) != 0) return errno;
  return 0;
}

enum class Existing { kRefuse, kReplace };

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents,
                                 FileAccess access, Existing existing) {
  // Beside the target, because rename and link don't cross file systems.
  std::string temporary = path + ".tmp.XXXXXX";
  const ScopedFd fd(mkostemp(temporary.data(), O_CLOEXEC));  // O_EXCL and 0600.
  if (fd.get() < 0) return NotWritten(path, errno);
  ScopedUnlink cleanup(temporary);

  if (const int error = WriteAll(fd.get(), contents)) return NotWritten(path, error);
  if (fchmod(fd.get(), access == FileAccess::kPrivate ? 0600 : 0644) != 0 || fsync(fd.get()) != 0) {
    return NotWritten(path, errno);
  }
  if (existing == Existing::kReplace) {
    if (rename(temporary.c_str(), path.c_str()) != 0) return NotWritten(path, errno);
    cleanup.Release();
  } else if (link(temporary.c_str(), path.c_str()) != 0) {
    // link, unlike rename, never replaces: this is O_EXCL for a file that is complete already.
    if (errno != EEXIST) return NotWritten(path, errno);
    return MakeError(absl::StatusCode::kAlreadyExists, "FILE_EXISTS",
                     absl::StrCat(path, " exists already"));
  }
  if (const int error = SyncDirectory(DirectoryOf(path))) return NotWritten(path, error);
  return absl::OkStatus();
}

absl::Status NotRead(const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, "FILE_NOT_READ",
                   absl::StrCat("can't read ", path, ": ", why));
}

enum class Readers { kAny, kOwnerOnly };

absl::StatusOr<std::string> ReadFileChecked(const std::string& path, Readers readers) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const ScopedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    if (errno != ENOENT) return NotRead(path, strerror(errno));
    return MakeError(absl::StatusCode::kNotFound, "FILE_NOT_FOUND",
                     absl::StrCat("there is no file ", path));
  }
  // Of the open file, not of the path: what was checked is what is read.
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return NotRead(path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return NotRead(path, "it is not a regular file");
  if (readers == Readers::kOwnerOnly && (info.st_mode & 077) != 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "FILE_NOT_PRIVATE",
                     absl::StrCat(path,
                                  " holds a secret, and others than its owner have access to it"
                                  "; run: chmod 600 ",
                                  path));
  }
  std::string contents(kMaxKeyFileBytes + 1, '\0');
  size_t size = 0;
  while (size < contents.size()) {
    const ssize_t n = read(fd.get(), contents.data() + size, contents.size() - size);
    if (n == 0) break;
    if (n < 0) {
      if (errno == EINTR) continue;
      return NotRead(path, strerror(errno));
    }
    size += static_cast<size_t>(n);
  }
  if (size > kMaxKeyFileBytes) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "FILE_TOO_LARGE",
                     absl::StrCat(path, " has more than ", kMaxKeyFileBytes,
                                  " bytes: not a key or certificate"));
  }
  contents.resize(size);
  return contents;
}

}  // namespace

absl::Status CreateFileAtomically(const std::string& path, absl::string_view contents,
                                  FileAccess access) {
  return WriteFileAtomically(path, contents, access, Existing::kRefuse);
}

absl::Status ReplaceFileAtomically(const std::string& path, absl::string_view contents,
                                   FileAccess access) {
  return WriteFileAtomically(path, contents, access, Existing::kReplace);
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  return ReadFileChecked(path, Readers::kAny);
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path) {
  return ReadFileChecked(path, Readers::kOwnerOnly);
}

}  // namespace bellwire
