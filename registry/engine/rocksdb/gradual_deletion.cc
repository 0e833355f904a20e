#include "registry/engine/rocksdb/gradual_deletion.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"

namespace bellwire::registry {
namespace {

// What fails is left to close, which gives back the rest.
void Shrink(int file) {
  struct stat status;
  // It has another name, as in a backup of hard links.
  if (fstat(file, &status) != 0 || status.st_nlink != 0) return;
  for (off_t size = status.st_size; size > 0;) {
    size -= std::min(size, static_cast<off_t>(GradualDeletion::kStepBytes));
    // Synced, so that no transaction has two steps.
    if (ftruncate(file, size) != 0 || fsync(file) != 0) return;
  }
}

}  // namespace

rocksdb::IOStatus GradualDeletion::DeleteFile(const std::string& path,
                                              const rocksdb::IOOptions& options,
                                              rocksdb::IODebugContext* debug) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const absl::Cleanup close_file = [file] {
    if (file >= 0) close(file);
  };
  const rocksdb::IOStatus status = target()->DeleteFile(path, options, debug);
  if (status.ok() && file >= 0) Shrink(file);
  return status;
}

}  // namespace bellwire::registry
