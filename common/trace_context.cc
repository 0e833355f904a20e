#include "common/trace_context.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bellwire {
namespace {

constexpr size_t kTraceIdBytes = 16;
constexpr size_t kParentIdBytes = 8;
// "00-" trace id "-" parent id "-" flags.
constexpr size_t kFieldChars = 55;
// The only flag that versions after 00 are known to keep: the sender records the trace.
constexpr char kSampled = 1;

bool IsLowerHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsZero(absl::string_view hex) { return hex.find_first_not_of('0') == absl::string_view::npos; }

}  // namespace

std::optional<std::string> ParseTraceparent(absl::string_view field) {
  if (field.size() < kFieldChars) return std::nullopt;
  const absl::string_view version = field.substr(0, 2);
  const absl::string_view trace_id = field.substr(3, 2 * kTraceIdBytes);
  const absl::string_view parent_id = field.substr(36, 2 * kParentIdBytes);
  const absl::string_view flags = field.substr(53, 2);
  if (field[2] != '-' || field[35] != '-' || field[52] != '-') return std::nullopt;
  if (!IsLowerHex(version) || version == "ff") return std::nullopt;
  if (!IsLowerHex(trace_id) || IsZero(trace_id)) return std::nullopt;
  if (!IsLowerHex(parent_id) || IsZero(parent_id)) return std::nullopt;
  if (!IsLowerHex(flags)) return std::nullopt;
  const bool is_first = version == "00";
  if (field.size() > kFieldChars && (is_first || field[kFieldChars] != '-')) return std::nullopt;
  std::string bytes = absl::HexStringToBytes(absl::StrCat(trace_id, parent_id, flags));
  if (!is_first) bytes.back() &= kSampled;
  return bytes;
}

std::string FormatTraceparent(absl::string_view trace_context) {
  if (trace_context.size() != kTraceContextBytes) return "";
  const std::string hex = absl::BytesToHexString(trace_context);
  const absl::string_view h = hex;
  return absl::StrCat("00-", h.substr(0, 32), "-", h.substr(32, 16), "-", h.substr(48));
}

std::string TraceIdOf(absl::string_view trace_context) {
  if (trace_context.size() != kTraceContextBytes) return "";
  return absl::BytesToHexString(trace_context.substr(0, kTraceIdBytes));
}

}  // namespace bellwire
