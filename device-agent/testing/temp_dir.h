#ifndef BELLWIRE_DEVICE_AGENT_TESTING_TEMP_DIR_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/string_view.h"

namespace bellwire::agent {

// A directory of its own, gone with this object. Its path is short: socket paths are bounded.
class TempDir {
 public:
  TempDir() {
    char pattern[] = "/tmp/bellwire-XXXXXX";
    if (mkdtemp(pattern) == nullptr) abort();
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string PathOf(absl::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_TEMP_DIR_H_
