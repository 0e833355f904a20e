#include "gateway/doors/apns/apns_request.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/doors/http/header_list.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/send/validator.h"

namespace bellwire::gateway::apns {
namespace {

using push::v1::SendRequest;

// Of the topic of a message that an app asks for apart from its alerts.
constexpr absl::string_view kTopicSuffixes[] = {
    ".voip",         ".voip-ptt",         ".complication", ".pushkit.fileprovider",
    ".location-query", ".push-type.liveactivity", ".push-type.controls", ".push-type.widgets",
};

constexpr absl::string_view kPushTypes[] = {
    "alert", "background",   "location",   "voip",     "complication", "fileprovider",
    "mdm",   "liveactivity", "pushtotalk", "controls", "widgets",
};

// Depth and size of what an app may be sent: the body is small already.
constexpr JsonBounds kPayloadBounds = {.depth = 32, .values = 4096};

Reason Bad(absl::string_view name, int status = 400) { return {.status = status, .name = name}; }

absl::string_view HeaderOf(const http::RequestHead& head, absl::string_view name) {
  const std::string* const value = http::FindHeader(head.headers, name);
  return value == nullptr ? absl::string_view() : absl::StripAsciiWhitespace(*value);
}

// The token is for the app that the topic names.
bool IsTopicOf(absl::string_view topic, const TokenContents& token) {
  if (AppTag(topic) == token.app_tag) return true;
  for (absl::string_view suffix : kTopicSuffixes) {
    absl::string_view app = topic;
    if (absl::ConsumeSuffix(&app, suffix) && AppTag(app) == token.app_tag) return true;
  }
  return false;
}

// nullopt: it is not one.
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

// Sets the ttl; false: the header is no time.
bool SetTtl(absl::string_view expiration, absl::Time now, SendRequest* request) {
  if (expiration.empty()) return true;
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(expiration, &seconds) || seconds < 0) return false;
  const int64_t left =
      seconds == 0 ? 0 : std::max<int64_t>(0, seconds - absl::ToUnixSeconds(now));
  request->mutable_ttl()->set_seconds(
      std::min<int64_t>(left, absl::ToInt64Seconds(kMaxTtl)));
  return true;
}

}  // namespace

std::optional<Reason> CheckHead(const http::RequestHead& head) {
  absl::string_view path = http::PathOf(head.path);
  if (!absl::ConsumePrefix(&path, kDevicePath) || absl::StrContains(path, '/')) {
    return Bad("BadPath", 404);
  }
  if (head.method != "POST") return Bad("MethodNotAllowed", 405);
  if (path.empty()) return Bad("MissingDeviceToken");
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

std::string ApnsIdOf(const http::RequestHead& head) {
  const std::optional<MessageId> id = ParseUuid(HeaderOf(head, "apns-id"));
  return id.has_value() ? FormatUuid(*id) : "";
}

std::variant<SendRequest, Reason> Translate(const http::RequestHead& head, std::string body,
                                            const TokenSealer& sealer, absl::Time now) {
  SendRequest request;
  // Some clients write hex in capitals.
  request.set_token(absl::AsciiStrToLower(
      absl::StripPrefix(http::PathOf(head.path), kDevicePath)));
  const absl::StatusOr<TokenContents> token = OpenToken(request.token(), sealer);
  if (!token.ok()) return Bad("BadDeviceToken");

  const absl::string_view topic = HeaderOf(head, "apns-topic");
  if (topic.empty()) return Bad("MissingTopic");
  if (!IsValidAppId(topic)) return Bad("BadTopic");
  if (!IsTopicOf(topic, *token)) return Bad("DeviceTokenNotForTopic");

  const absl::string_view push_type = HeaderOf(head, "apns-push-type");
  if (!push_type.empty() && std::find(std::begin(kPushTypes), std::end(kPushTypes), push_type) ==
                                std::end(kPushTypes)) {
    return Bad("InvalidPushType");
  }
  const auto priority = PriorityFrom(HeaderOf(head, "apns-priority"), push_type);
  if (!priority.has_value()) return Bad("BadPriority");
  request.set_priority(*priority);

  if (const absl::string_view id = HeaderOf(head, "apns-id"); !id.empty()) {
    if (!ValidateMessageId(id).ok()) return Bad("BadMessageId");
    request.set_message_id(std::string(id));
  }
  const absl::string_view collapse_id = HeaderOf(head, "apns-collapse-id");
  if (collapse_id.size() > kMaxCollapseKeyBytes) return Bad("BadCollapseId");
  request.set_collapse_key(std::string(collapse_id));
  if (!SetTtl(HeaderOf(head, "apns-expiration"), now, &request)) return Bad("BadExpirationDate");

  if (body.empty()) return Bad("PayloadEmpty");
  if (body.size() > kMaxPayloadBytes) return Bad("PayloadTooLarge", 413);
  const absl::StatusOr<nlohmann::json> json = ParseJsonValue(body, kPayloadBounds);
  if (!json.ok() || !json->is_object()) return Bad("BadPayload");
  request.set_payload(std::move(body));
  return request;
}

}  // namespace bellwire::gateway::apns
