#include "gateway/doors/grpc/grpc_headers.h"

#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

constexpr absl::string_view kContentType = "application/grpc";
constexpr size_t kMaxTimeoutDigits = 8;

std::optional<absl::Duration> TimeoutUnit(char unit) {
  switch (unit) {
    case 'H':
      return absl::Hours(1);
    case 'M':
      return absl::Minutes(1);
    case 'S':
      return absl::Seconds(1);
    case 'm':
      return absl::Milliseconds(1);
    case 'u':
      return absl::Microseconds(1);
    case 'n':
      return absl::Nanoseconds(1);
    default:
      return std::nullopt;
  }
}

// Base64 without padding: what receivers of "-bin" fields must take, and senders should send.
std::string UnpaddedBase64(absl::string_view bytes) {
  std::string text = absl::Base64Escape(bytes);
  while (absl::EndsWith(text, "=")) text.pop_back();
  return text;
}

}  // namespace

bool IsGrpcContentType(absl::string_view content_type) {
  if (!absl::ConsumePrefix(&content_type, kContentType)) return false;
  return content_type.empty() || content_type.front() == '+' || content_type.front() == ';';
}

std::optional<absl::Duration> ParseGrpcTimeout(absl::string_view text) {
  if (text.size() < 2 || text.size() > kMaxTimeoutDigits + 1) return std::nullopt;
  const std::optional<absl::Duration> unit = TimeoutUnit(text.back());
  text.remove_suffix(1);
  int64_t value = 0;
  if (!unit.has_value() || text.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(text, &value)) {
    return std::nullopt;
  }
  return value * *unit;
}

std::string PercentEncode(absl::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 0xf]);
    }
  }
  // A field's value has no space at its ends (RFC 9113, 8.2.1).
  const auto escape_space = [&encoded](size_t at) {
    if (at < encoded.size() && encoded[at] == ' ') encoded.replace(at, 1, "%20");
  };
  escape_space(0);
  if (!encoded.empty()) escape_space(encoded.size() - 1);
  return encoded;
}

http::HeaderList StatusTrailers(const absl::Status& status) {
  if (status.ok()) return {{"grpc-status", "0"}};
  const grpc::Status grpc_status = ToGrpcStatus(status);
  http::HeaderList trailers = {
      {"grpc-status", absl::StrCat(static_cast<int>(grpc_status.error_code()))},
      {"grpc-message", PercentEncode(grpc_status.error_message())}};
  if (!grpc_status.error_details().empty()) {
    trailers.push_back({"grpc-status-details-bin", UnpaddedBase64(grpc_status.error_details())});
  }
  return trailers;
}

}  // namespace bellwire::gateway
