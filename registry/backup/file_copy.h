#ifndef BELLWIRE_REGISTRY_BACKUP_FILE_COPY_H_
#define BELLWIRE_REGISTRY_BACKUP_FILE_COPY_H_

#include <string>

#include "absl/status/status.h"

// Files and directories that have to be there after a power cut. Errors: UNAVAILABLE
// FILE_NOT_WRITTEN, which names the file and what the system says. Blocking; thread-safe.
namespace bellwire::registry {

// Makes a directory (0700), if it is not there. A process of root's gives what it makes to the
// owner of the directory that it makes it in: the server must be able to use it.
absl::Status MakeDirectory(const std::string& path);

// Copies a file with its permissions, and makes its directory as above; `to` must not exist.
absl::Status CopyFileDurably(const std::string& from, const std::string& to);

// Renames within one file system; `to` must not exist. Both directories are synced.
absl::Status RenameDurably(const std::string& from, const std::string& to);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_BACKUP_FILE_COPY_H_
