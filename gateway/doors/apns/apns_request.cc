#include "gateway/doors/apns/apns_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/doors/apns/apns_headers.h"
#include "gateway/doors/http/query.h"
#include "gateway/send/validator.h"

namespace bellwire::gateway::apns {
namespace {

using push::v1::SendRequest;

// Of the topic of a message that an app asks for apart from its alerts.
constexpr absl::string_view kTopicSuffixes[] = {
    ".voip",
    ".voip-ptt",
    ".complication",
    ".pushkit.fileprovider",
    ".location-query",
    ".push-type.liveactivity",
    ".push-type.controls",
    ".push-type.widgets",
};

constexpr absl::string_view kPushTypes[] = {
    "alert", "background",   "location",   "voip",     "complication", "fileprovider",
    "mdm",   "liveactivity", "pushtotalk", "controls", "widgets",
};

// The token is for the app that the topic names.
bool IsTopicOf(absl::string_view topic, const TokenContents& token) {
  if (AppTag(topic) == token.app_tag) return true;
  for (absl::string_view suffix : kTopicSuffixes) {
    absl::string_view app = topic;
    if (absl::ConsumeSuffix(&app, suffix) && AppTag(app) == token.app_tag) return true;
  }
  return false;
}

}  // namespace

std::optional<Reason> CheckHead(const http::RequestHead& head) {
  absl::string_view path = http::PathOf(head.path);
  if (!absl::ConsumePrefix(&path, kDevicePath) || absl::StrContains(path, '/')) {
    return Bad("BadPath", 404);
  }
  if (head.method != "POST") return Bad("MethodNotAllowed", 405);
  if (path.empty()) return Bad("MissingDeviceToken");
  return CheckHeaders(head);
}

std::variant<SendRequest, Reason> Translate(const http::RequestHead& head, std::string body,
                                            const TokenSealer& sealer, absl::Time now) {
  SendRequest request;
  // Some clients write hex in capitals.
  request.set_token(absl::AsciiStrToLower(absl::StripPrefix(http::PathOf(head.path), kDevicePath)));
  const absl::StatusOr<TokenContents> token = OpenToken(request.token(), sealer);
  if (!token.ok()) return Bad("BadDeviceToken");

  const absl::string_view topic = HeaderOf(head, "apns-topic");
  if (topic.empty()) return Bad("MissingTopic");
  if (!IsValidAppId(topic)) return Bad("BadTopic");
  if (!IsTopicOf(topic, *token)) return Bad("DeviceTokenNotForTopic");

  const absl::string_view push_type = HeaderOf(head, "apns-push-type");
  if (!push_type.empty() &&
      std::find(std::begin(kPushTypes), std::end(kPushTypes), push_type) == std::end(kPushTypes)) {
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

  if (const std::optional<Reason> wrong = CheckPayload(body)) return *wrong;
  request.set_payload(std::move(body));
  return request;
}

}  // namespace bellwire::gateway::apns
