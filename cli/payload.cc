#include "cli/payload.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bellwire::cli {
namespace {

constexpr size_t kMaxHexBytesShown = 32;

uint8_t ByteAt(absl::string_view bytes, size_t i) {
  return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0;
}

bool Within(uint8_t byte, uint8_t low, uint8_t high) { return byte >= low && byte <= high; }

// Bytes of the character that `bytes` begins with, by RFC 3629's table; 0 if it is malformed.
size_t CharacterLength(absl::string_view bytes) {
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

// U+0000 to U+001F, U+007F, and the C1 controls U+0080 to U+009F.
bool IsControl(absl::string_view bytes) {
  const uint8_t lead = ByteAt(bytes, 0);
  return lead < 0x20 || lead == 0x7f || (lead == 0xc2 && ByteAt(bytes, 1) < 0xa0);
}

bool IsText(absl::string_view bytes, bool allow_controls) {
  while (!bytes.empty()) {
    const size_t length = CharacterLength(bytes);
    if (length == 0 || (!allow_controls && IsControl(bytes))) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

}  // namespace

bool IsUtf8(absl::string_view bytes) { return IsText(bytes, /*allow_controls=*/true); }

std::string RenderPayload(absl::string_view payload) {
  if (IsText(payload, /*allow_controls=*/false)) return std::string(payload);
  return absl::StrCat("(", payload.size(), " bytes) ",
                      absl::BytesToHexString(payload.substr(0, kMaxHexBytesShown)),
                      payload.size() > kMaxHexBytesShown ? "..." : "");
}

void AddPayload(absl::string_view payload, nlohmann::ordered_json* json) {
  if (IsUtf8(payload)) {
    (*json)["payload"] = std::string(payload);
  } else {
    (*json)["payload_base64"] = absl::Base64Escape(payload);
  }
}

}  // namespace bellwire::cli
