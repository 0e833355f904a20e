// ParseConfigFile takes what a person or another program wrote.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "ops/config_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = bellwire::ParseConfigFile(text);
  if (!entries.ok()) return 0;
  int line = 0;
  for (const bellwire::ConfigEntry& entry : *entries) {
    // One entry a line, and nothing in it that the file doesn't have.
    if (entry.line <= line) std::abort();
    line = entry.line;
    if (entry.key.empty() || entry.value.empty()) std::abort();
    if (!absl::StrContains(text, entry.key) || !absl::StrContains(text, entry.value)) std::abort();
  }
  return 0;
}
