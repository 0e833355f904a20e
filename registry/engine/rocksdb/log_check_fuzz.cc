// A block of a log as a damaged disk gives it back.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "registry/engine/rocksdb/log_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)bellwire::registry::LogBlockIsSound(text.substr(0, bellwire::registry::kLogBlockBytes));
  return 0;
}
