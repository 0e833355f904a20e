// Any text as a path: nothing crashes, and what is decoded is never longer than what came.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/doors/http/query.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwire::http;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (PathOf(text).size() + QueryOf(text).size() > text.size()) abort();
  const std::optional<std::string> decoded = PercentDecode(PathOf(text));
  if (decoded.has_value() && decoded->size() > text.size()) abort();
  const std::optional<QueryParameters> parameters = ParseQuery(QueryOf(text));
  if (!parameters.has_value()) return 0;
  size_t bytes = 0;
  for (const auto& [name, value] : *parameters) {
    bytes += name.size() + value.size();
    if (FindParameter(*parameters, name) == nullptr) abort();
  }
  if (bytes > text.size()) abort();
  return 0;
}
