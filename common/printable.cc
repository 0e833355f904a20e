#include "common/printable.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_format.h"

namespace bellwire {
namespace {

uint8_t ByteAt(absl::string_view bytes, size_t i) {
  return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0;
}

bool Within(uint8_t byte, uint8_t low, uint8_t high) { return byte >= low && byte <= high; }

}  // namespace

size_t CharacterLength(absl::string_view bytes) {
  if (bytes.empty()) return 0;
  const uint8_t lead = ByteAt(bytes, 0);
  if (lead < 0x80) return 1;
  size_t length = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  if (Within(lead, 0xc2, 0xdf)) {
    length = 2;
  } else if (Within(lead, 0xe0, 0xef)) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (Within(lead, 0xf0, 0xf4)) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (!Within(ByteAt(bytes, 1), low, high)) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!Within(ByteAt(bytes, i), 0x80, 0xbf)) return 0;
  }
  return length;
}

bool IsControl(absl::string_view bytes) {
  const uint8_t lead = ByteAt(bytes, 0);
  if (lead < 0x20 || lead == 0x7f) return true;
  if (lead == 0xc2) return ByteAt(bytes, 1) < 0xa0;
  if (lead != 0xe2) return false;
  // U+200E, U+200F, U+2028 to U+202E, and U+2066 to U+2069.
  if (ByteAt(bytes, 1) == 0x80) {
    return Within(ByteAt(bytes, 2), 0x8e, 0x8f) || Within(ByteAt(bytes, 2), 0xa8, 0xae);
  }
  return ByteAt(bytes, 1) == 0x81 && Within(ByteAt(bytes, 2), 0xa6, 0xa9);
}

std::string Printable(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length != 0 && !IsControl(text)) {
      out.append(text.data(), length);
      text.remove_prefix(length);
      continue;
    }
    for (size_t i = 0; i < std::max<size_t>(length, 1); ++i) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned>(ByteAt(text, i)));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

}  // namespace bellwire
