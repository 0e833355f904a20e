#include "common/testing/temp_dir.h"

#include <stdlib.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace bellwire {

TempDir::TempDir(absl::string_view parent) : root_(absl::StrCat(parent, "/bellwire-XXXXXX")) {
  if (mkdtemp(root_.data()) == nullptr) abort();
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

std::string TempDir::path(absl::string_view name) const {
  return name.empty() ? root_ : absl::StrCat(root_, "/", name);
}

}  // namespace bellwire
