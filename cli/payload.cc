#include "cli/payload.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/printable.h"

namespace bellwire::cli {
namespace {

constexpr size_t kMaxHexBytesShown = 32;

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
