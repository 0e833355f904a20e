#include "registry/transfer/export_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "registry/backup/file_copy.h"

namespace bellwire::registry {
namespace {

absl::Status NotWritten(const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, "FILE_NOT_WRITTEN",
                   absl::StrCat(path == "-" ? "the standard output" : path, ": ", why));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExportFile>> ExportFile::Create(const std::string& path) {
  if (path == "-") return std::unique_ptr<ExportFile>(new ExportFile(path, STDOUT_FILENO));
  if (access(path.c_str(), F_OK) == 0) {
    return MakeError(absl::StatusCode::kAlreadyExists, "FILE_EXISTS",
                     absl::StrCat("there is already a file ", path, ": name another one"));
  }
  std::unique_ptr<ExportFile> file(new ExportFile(path, -1));
  // Of an export that was killed.
  unlink(file->unfinished().c_str());
  file->fd_ = open(file->unfinished().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file->fd_ < 0) return NotWritten(file->unfinished(), strerror(errno));
  return file;
}

ExportFile::~ExportFile() {
  if (is_pipe() || fd_ < 0) return;
  close(fd_);
  unlink(unfinished().c_str());
}

absl::Status ExportFile::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return NotWritten(path_, strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status ExportFile::Finish() {
  if (is_pipe()) return absl::OkStatus();
  if (fsync(fd_) != 0) return NotWritten(path_, strerror(errno));
  if (close(std::exchange(fd_, -1)) != 0) return NotWritten(path_, strerror(errno));
  return RenameDurably(unfinished(), path_);
}

absl::StatusOr<std::unique_ptr<ImportFile>> ImportFile::Open(const std::string& path) {
  if (path == "-") return std::unique_ptr<ImportFile>(new ImportFile(path, STDIN_FILENO));
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return MakeError(absl::StatusCode::kNotFound, "NO_EXPORT",
                     absl::StrCat(path, " can't be opened: ", strerror(errno)));
  }
  return std::unique_ptr<ImportFile>(new ImportFile(path, fd));
}

ImportFile::~ImportFile() {
  if (path_ != "-") close(fd_);
}

absl::StatusOr<size_t> ImportFile::Read(absl::Span<char> buffer) {
  while (true) {
    const ssize_t got = read(fd_, buffer.data(), buffer.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EINTR) continue;
    return MakeError(
        absl::StatusCode::kUnavailable, "FILE_NOT_READ",
        absl::StrCat(path_ == "-" ? "the standard input" : path_, ": ", strerror(errno)));
  }
}

}  // namespace bellwire::registry
