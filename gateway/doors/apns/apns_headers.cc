#include "gateway/doors/apns/apns_headers.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/doors/http/header_list.h"
#include "gateway/doors/json/json_text.h"

namespace bellwire::gateway::apns {
namespace {

// Of an id that is no UUID: longer ones are not repeated.
constexpr size_t kMaxEchoedIdBytes = 128;

// Depth and size of what an app may be sent: the body is small already.
constexpr JsonBounds kPayloadBounds = {.depth = 32, .values = 4096};

}  // namespace

Reason Bad(absl::string_view name, int status) { return {.status = status, .name = name}; }

absl::string_view HeaderOf(const http::RequestHead& head, absl::string_view name) {
  const std::string* const value = http::FindHeader(head.headers, name);
  return value == nullptr ? absl::string_view() : absl::StripAsciiWhitespace(*value);
}

std::optional<Reason> CheckHeaders(const http::RequestHead& head) {
  for (const http::Header& header : head.headers) {
    if (!absl::StartsWith(header.name, "apns-") && header.name != "authorization") continue;
    const auto same = [&](const http::Header& other) { return other.name == header.name; };
    if (std::count_if(head.headers.begin(), head.headers.end(), same) > 1) {
      return Bad("DuplicateHeaders");
    }
  }
  if (http::FindHeader(head.headers, "authorization") == nullptr) {
    return Bad("MissingProviderToken", 403);
  }
  return std::nullopt;
}

std::string IdFor(const http::RequestHead& head, absl::string_view name) {
  const absl::string_view id = HeaderOf(head, name);
  if (id.empty() || id.size() > kMaxEchoedIdBytes) return FormatUuid(NewMessageId());
  return std::string(id);
}

std::optional<push::v1::Priority> PriorityFrom(absl::string_view priority,
                                               absl::string_view push_type) {
  if (!priority.empty() && priority != "10" && priority != "5" && priority != "1") {
    return std::nullopt;
  }
  if (push_type == "voip") return push::v1::PRIORITY_HIGH;
  if (priority == "1") return push::v1::PRIORITY_LOW;
  if (priority == "5" || push_type == "background") return push::v1::PRIORITY_NORMAL;
  return push::v1::PRIORITY_HIGH;
}

bool SetTtl(absl::string_view expiration, absl::Time now, push::v1::SendRequest* request) {
  if (expiration.empty()) return true;
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(expiration, &seconds) || seconds < 0) return false;
  const int64_t left = seconds == 0 ? 0 : std::max<int64_t>(0, seconds - absl::ToUnixSeconds(now));
  request->mutable_ttl()->set_seconds(std::min<int64_t>(left, absl::ToInt64Seconds(kMaxTtl)));
  return true;
}

std::optional<Reason> CheckPayload(absl::string_view body) {
  if (body.empty()) return Bad("PayloadEmpty");
  if (body.size() > kMaxPayloadBytes) return Bad("PayloadTooLarge", 413);
  const absl::StatusOr<nlohmann::json> json = ParseJsonValue(body, kPayloadBounds);
  if (!json.ok() || !json->is_object()) return Bad("BadPayload");
  return std::nullopt;
}

}  // namespace bellwire::gateway::apns
