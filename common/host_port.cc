#include "common/host_port.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire {
namespace {

absl::Status BadAddress(absl::string_view text, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                   absl::StrCat("\"", text, "\" is not host:port", why));
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return BadAddress(text, ": it names no port");
  const absl::string_view digits = text.substr(colon + 1);
  uint32_t port;
  if (!std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &port) || port > UINT16_MAX) {
    return BadAddress(text, ": a port is a number from 0 to 65535");
  }
  absl::string_view host = text.substr(0, colon);
  const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  if (!brackets && host.find_first_of(":[]") != absl::string_view::npos) {
    return BadAddress(text, " (an IPv6 address needs brackets)");
  }
  return HostPort{std::string(host), static_cast<uint16_t>(port)};
}

}  // namespace bellwire
