// AppKeys::Parse takes a file that may be damaged. What it takes can be written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "crypto/encryption/app_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto keys =
      bellwire::AppKeys::Parse(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!keys.ok()) {
    if (!absl::IsInvalidArgument(keys.status())) std::abort();
    return 0;
  }
  const auto again = bellwire::AppKeys::Parse((*keys)->Format());
  if (!again.ok() || !((*again)->recipient() == (*keys)->recipient())) std::abort();
  return 0;
}
