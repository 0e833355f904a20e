#ifndef BELLWIRE_COMMON_TESTING_TEMP_DIR_H_
#define BELLWIRE_COMMON_TESTING_TEMP_DIR_H_

#include <string>

#include "absl/strings/string_view.h"

namespace bellwire {

// A new directory of a test's own, removed with all in it when this object is destroyed. Its path
// is short, because that of a Unix socket has at most 107 bytes. A process that can't make one is
// aborted.
class TempDir {
 public:
  // Below `parent`, which exists.
  explicit TempDir(absl::string_view parent = "/tmp");
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  // The directory, or a name in it, which need not exist.
  std::string path(absl::string_view name = "") const;

 private:
  std::string root_;
};

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_TESTING_TEMP_DIR_H_
