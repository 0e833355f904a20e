#include "common/base64.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"

namespace bellwire {
namespace {

// The six bits that a digit of base64url stands for; -1: it is none.
int ValueOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

}  // namespace

bool IsBase64Url(absl::string_view text) {
  for (const char c : text) {
    if (ValueOf(c) < 0) return false;
  }
  switch (text.size() % 4) {
    case 0:
      return true;
    case 2:
      return (ValueOf(text.back()) & 0xf) == 0;
    case 3:
      return (ValueOf(text.back()) & 0x3) == 0;
    default:
      return false;
  }
}

std::optional<std::string> DecodeBase64Url(absl::string_view text) {
  std::string bytes;
  if (!IsBase64Url(text) || !absl::WebSafeBase64Unescape(text, &bytes)) return std::nullopt;
  return bytes;
}

std::optional<std::string> DecodeAnyBase64(absl::string_view text) {
  if (!text.empty() && text.back() == '=') {
    if (text.size() % 4 != 0) return std::nullopt;
    text.remove_suffix(1);
    if (text.back() == '=') text.remove_suffix(1);
  }
  if (text.find_first_of("+/") == absl::string_view::npos) return DecodeBase64Url(text);
  if (text.find_first_of("-_") != absl::string_view::npos) return std::nullopt;
  return DecodeBase64Url(absl::StrReplaceAll(text, {{"+", "-"}, {"/", "_"}}));
}

}  // namespace bellwire
