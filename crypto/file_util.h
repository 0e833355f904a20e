#ifndef BELLWIRE_CRYPTO_FILE_UTIL_H_
#define BELLWIRE_CRYPTO_FILE_UTIL_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Small files that matter: keys, certificates, credentials. Written as a whole or not at all (a
// temporary file beside it, fsync, then one atomic step, then fsync of the directory); read with a
// bound and a check of who else may read them. Blocking; thread-safe.
namespace bellwire {

enum class FileAccess {
  kPrivate,  // 0600
  kPublic,   // 0644
};

// Far more than any key, certificate chain or list of sealing keys needs.
inline constexpr size_t kMaxKeyFileBytes = 64 * 1024;

// Makes a file that must not exist yet.
//   ALREADY_EXISTS FILE_EXISTS: it does, and is left as it is.
//   UNAVAILABLE FILE_NOT_WRITTEN: the system refused; nothing is left behind.
absl::Status CreateFileAtomically(const std::string& path, absl::string_view contents,
                                  FileAccess access);

// Makes a file or takes the place of the one that is there: a reader sees the old one or the new.
//   UNAVAILABLE FILE_NOT_WRITTEN: the system refused; the old file is as it was.
absl::Status ReplaceFileAtomically(const std::string& path, absl::string_view contents,
                                   FileAccess access);

// The whole of a file of at most kMaxKeyFileBytes.
//   NOT_FOUND FILE_NOT_FOUND · UNAVAILABLE FILE_NOT_READ: the system refused
//   FAILED_PRECONDITION FILE_TOO_LARGE
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

// As ReadWholeFile, for secrets.
//   FAILED_PRECONDITION FILE_NOT_PRIVATE: group or others have access; the message says what to
//   run.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_FILE_UTIL_H_
