// A provider gives back a cursor that it was given, or anything else. What is taken has one
// spelling.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "gateway/receipts/receipt_cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  using bellwire::gateway::DecodeReceiptCursor;
  const auto positions = DecodeReceiptCursor("teamaaaaaa", text);
  if (positions.ok() && bellwire::gateway::EncodeReceiptCursor("teamaaaaaa", *positions) != text) {
    std::abort();
  }
  return 0;
}
