// A note comes from a file that may be damaged. What is taken can be written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "device-agent/companion/unifiedpush/registration_note.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto note = bellwire::companion::DecodeNote(text);
  if (!note.has_value()) return 0;
  const auto again = bellwire::companion::DecodeNote(bellwire::companion::EncodeNote(*note));
  if (!again.has_value() || !(*again == *note)) std::abort();
  return 0;
}
