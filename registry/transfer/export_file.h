#ifndef BELLWIRE_REGISTRY_TRANSFER_EXPORT_FILE_H_
#define BELLWIRE_REGISTRY_TRANSFER_EXPORT_FILE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Where an export goes and comes from: a file, or "-", the standard output and input. Blocking; not
// thread-safe.
namespace bellwire::registry {

// A file that nobody but its owner reads, and that has its name once it is whole and on the disk.
// Errors: UNAVAILABLE FILE_NOT_WRITTEN.
class ExportFile {
 public:
  //   ALREADY_EXISTS FILE_EXISTS: there is such a file.
  static absl::StatusOr<std::unique_ptr<ExportFile>> Create(const std::string& path);
  // Removes what is not finished.
  ~ExportFile();
  ExportFile(const ExportFile&) = delete;
  ExportFile& operator=(const ExportFile&) = delete;

  absl::Status Write(absl::string_view bytes);
  // Once.
  absl::Status Finish();

 private:
  ExportFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  bool is_pipe() const { return path_ == "-"; }
  std::string unfinished() const { return path_ + ".unfinished"; }

  const std::string path_;
  int fd_;
};

// Errors: UNAVAILABLE FILE_NOT_READ.
class ImportFile {
 public:
  //   NOT_FOUND NO_EXPORT: there is no such file.
  static absl::StatusOr<std::unique_ptr<ImportFile>> Open(const std::string& path);
  ~ImportFile();
  ImportFile(const ImportFile&) = delete;
  ImportFile& operator=(const ImportFile&) = delete;

  // As ExportReader's `read`.
  absl::StatusOr<size_t> Read(absl::Span<char> buffer);

 private:
  ImportFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  const std::string path_;
  const int fd_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TRANSFER_EXPORT_FILE_H_
