#include "common/public_urls.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"

namespace bellwire {
namespace {

constexpr absl::string_view kHttps = "https://";
constexpr absl::string_view kHttp = "http://";
// RFC 1035, 2.3.4.
constexpr size_t kMaxHostBytes = 255;

struct Origin {
  std::string text;
  bool is_https = false;
  std::string host;
};

bool IsHost(absl::string_view host) {
  if (host.empty() || host.size() > kMaxHostBytes) return false;
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' &&
           host.find_first_not_of("0123456789abcdef:.", 1) == host.size() - 1;
  }
  return host.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz.-_") ==
         absl::string_view::npos;
}

// nullopt: not an origin.
std::optional<Origin> ParseOrigin(absl::string_view url) {
  const std::string lower = absl::AsciiStrToLower(url);
  absl::string_view rest = lower;
  Origin origin;
  origin.is_https = absl::ConsumePrefix(&rest, kHttps);
  if (!origin.is_https && !absl::ConsumePrefix(&rest, kHttp)) return std::nullopt;
  absl::ConsumeSuffix(&rest, "/");
  // Behind the brackets of an IPv6 address.
  const size_t colon = rest.find(':', absl::StartsWith(rest, "[") ? rest.find(']') : 0);
  const absl::string_view host = rest.substr(0, colon);
  if (!IsHost(host)) return std::nullopt;
  origin.host = std::string(host);
  origin.text = absl::StrCat(origin.is_https ? kHttps : kHttp, host);
  if (colon == absl::string_view::npos) return origin;
  const absl::string_view digits = rest.substr(colon + 1);
  uint32_t port = 0;
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &port) || port == 0 || port > UINT16_MAX) {
    return std::nullopt;
  }
  if (port != (origin.is_https ? 443 : 80)) absl::StrAppend(&origin.text, ":", port);
  return origin;
}

bool IsThisMachine(absl::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

absl::Status BadUrl(absl::string_view url, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_PUBLIC_URL",
                   absl::StrCat("the public URL \"", url, "\" ", why,
                                "; it must look like https://push.example.com"));
}

}  // namespace

absl::StatusOr<PublicUrls> PublicUrls::Parse(const std::vector<std::string>& urls) {
  PublicUrls result;
  for (const std::string& url : urls) {
    const std::optional<Origin> origin = ParseOrigin(url);
    if (!origin.has_value()) return BadUrl(url, "is no scheme, host and perhaps port");
    if (!origin->is_https && !IsThisMachine(origin->host)) return BadUrl(url, "is not https");
    result.origins_.push_back(origin->text);
  }
  return result;
}

bool PublicUrls::Contains(absl::string_view origin) const {
  const std::optional<Origin> parsed = ParseOrigin(origin);
  return parsed.has_value() &&
         std::find(origins_.begin(), origins_.end(), parsed->text) != origins_.end();
}

}  // namespace bellwire
