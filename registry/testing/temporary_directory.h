#ifndef BELLWIRE_REGISTRY_TESTING_TEMPORARY_DIRECTORY_H_
#define BELLWIRE_REGISTRY_TESTING_TEMPORARY_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "gtest/gtest.h"

namespace bellwire::registry {

// A directory that does not exist yet, in a new one of its own that goes with this object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : parent_(testing::TempDir() + "/registry.XXXXXX") {
    if (mkdtemp(parent_.data()) == nullptr) abort();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(parent_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path() const { return parent_ + "/store"; }

 private:
  std::string parent_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_TEMPORARY_DIRECTORY_H_
