#include "registry/backup/file_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace bellwire::registry {
namespace {

absl::Status NotWritten(const std::string& path, const std::string& why) {
  return MakeError(absl::StatusCode::kUnavailable, "FILE_NOT_WRITTEN",
                   absl::StrCat("can't write ", path, ": ", why));
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

absl::Status Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NotWritten(path, strerror(errno));
  const absl::Cleanup close_fd = [fd] { close(fd); };
  return fsync(fd) == 0 ? absl::OkStatus() : NotWritten(path, strerror(errno));
}

absl::Status GiveToOwnerOf(const std::string& directory, const std::string& path) {
  struct stat info {};
  if (geteuid() != 0 || stat(directory.c_str(), &info) != 0) return absl::OkStatus();
  if (chown(path.c_str(), info.st_uid, info.st_gid) == 0) return absl::OkStatus();
  return NotWritten(path, strerror(errno));
}

}  // namespace

absl::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0) {
    return errno == EEXIST ? absl::OkStatus() : NotWritten(path, strerror(errno));
  }
  BELLWIRE_RETURN_IF_ERROR(GiveToOwnerOf(ParentOf(path), path));
  return Sync(ParentOf(path));
}

absl::Status CopyFileDurably(const std::string& from, const std::string& to) {
  const std::string directory = ParentOf(to);
  BELLWIRE_RETURN_IF_ERROR(MakeDirectory(directory));
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  if (error) return NotWritten(to, error.message());
  BELLWIRE_RETURN_IF_ERROR(GiveToOwnerOf(directory, to));
  BELLWIRE_RETURN_IF_ERROR(Sync(to));
  return Sync(directory);
}

absl::Status RenameDurably(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    return NotWritten(to, strerror(errno));
  }
  BELLWIRE_RETURN_IF_ERROR(Sync(ParentOf(to)));
  return ParentOf(from) == ParentOf(to) ? absl::OkStatus() : Sync(ParentOf(from));
}

}  // namespace bellwire::registry
