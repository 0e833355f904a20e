#include "gateway/doors/apns/apns_channels.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/call/call_trace.h"
#include "gateway/doors/apns/apns_headers.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::apns {
namespace {

using Action = ChannelRoute::Action;

constexpr absl::string_view kTopicPrefix = "apns-channel.";
constexpr absl::string_view kManagePrefix = "/1/apps/";
constexpr absl::string_view kBroadcastPrefix = "/4/broadcasts/apps/";
// APNs has no other yet. Clients write it in capitals or not.
constexpr absl::string_view kPushType = "LiveActivity";
constexpr size_t kChannelIdChars = 20;
constexpr JsonBounds kChannelBounds = {.depth = 4, .values = 64};

static_assert(kTopicPrefix.size() + kMaxAppIdBytes + 1 + kChannelIdChars <= kMaxTopicNameChars,
              "a channel has a topic");
static_assert(kTopicPrefix.size() + kChannelIdChars <= kMaxCollapseKeyBytes,
              "the newest message of a channel is known by it");

bool IsChannelId(absl::string_view id) {
  if (id.size() != kChannelIdChars) return false;
  for (const char c : id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

bool IsPushType(absl::string_view type) { return absl::EqualsIgnoreCase(type, kPushType); }

std::string Dump(const nlohmann::ordered_json& json) { return DumpJson(json); }

}  // namespace

bool IsChannelPath(absl::string_view path) {
  return absl::StartsWith(path, "/1/") || absl::StartsWith(path, "/4/");
}

std::variant<ChannelRoute, Reason> RouteOf(const http::RequestHead& head) {
  ChannelRoute route;
  absl::string_view app_id = http::PathOf(head.path);
  if (absl::ConsumePrefix(&app_id, kBroadcastPrefix)) {
    route.action = Action::kBroadcast;
    if (head.method != "POST") return Bad("MethodNotAllowed", 405);
  } else if (!absl::ConsumePrefix(&app_id, kManagePrefix)) {
    return Bad("BadPath", 404);
  } else if (absl::ConsumeSuffix(&app_id, "/all-channels")) {
    route.action = Action::kReadAll;
    if (head.method != "GET") return Bad("MethodNotAllowed", 405);
  } else if (absl::ConsumeSuffix(&app_id, "/channels")) {
    if (head.method == "POST") {
      route.action = Action::kCreate;
    } else if (head.method == "GET") {
      route.action = Action::kRead;
    } else if (head.method == "DELETE") {
      route.action = Action::kDelete;
    } else {
      return Bad("MethodNotAllowed", 405);
    }
  } else {
    return Bad("BadPath", 404);
  }
  if (absl::StrContains(app_id, '/')) return Bad("BadPath", 404);
  if (const std::optional<Reason> wrong = CheckHeaders(head)) return *wrong;
  if (!IsValidAppId(app_id)) return Bad("BadTopic");
  route.app_id = std::string(app_id);
  if (route.action == Action::kCreate || route.action == Action::kReadAll) return route;
  const absl::string_view channel_id = HeaderOf(head, "apns-channel-id");
  if (channel_id.empty()) return Bad("MissingChannelId");
  if (!IsChannelId(channel_id)) return Bad("BadChannelId");
  route.channel_id = std::string(channel_id);
  return route;
}

std::variant<StoragePolicy, Reason> ParseChannel(absl::string_view body) {
  if (body.empty()) return Bad("PayloadEmpty");
  const absl::StatusOr<nlohmann::json> json = ParseJsonValue(body, kChannelBounds);
  if (!json.ok() || !json->is_object()) return Bad("CannotCreateChannelConfig");
  const auto type = json->find("push-type");
  if (type == json->end()) return Bad("MissingPushType");
  if (!type->is_string() || !IsPushType(type->get_ref<const std::string&>())) {
    return Bad("InvalidPushType");
  }
  const auto policy = json->find("message-storage-policy");
  if (policy == json->end()) return Bad("CannotCreateChannelConfig");
  if (*policy == 0 || *policy == "0") return StoragePolicy::kNone;
  if (*policy == 1 || *policy == "1") return StoragePolicy::kNewest;
  return Bad("CannotCreateChannelConfig");
}

std::string RenderChannel(StoragePolicy policy) {
  return Dump({{"message-storage-policy", static_cast<int>(policy)},
               {"push-type", std::string(kPushType)}});
}

std::string RenderChannels(const std::vector<std::string>& channel_ids) {
  return Dump({{"channels", channel_ids}});
}

std::string NewChannelId() { return absl::StrCat(NewShortId(), NewShortId()); }

std::string TopicPrefixOf(absl::string_view app_id) {
  return absl::StrCat(kTopicPrefix, app_id, ".");
}

std::string TopicOfChannel(absl::string_view app_id, absl::string_view channel_id) {
  return absl::StrCat(TopicPrefixOf(app_id), channel_id);
}

std::optional<std::string> ChannelOfTopic(absl::string_view app_id, absl::string_view topic) {
  // What follows the id of "com.example.mail" may be one of "com.example.mail.beta".
  if (!absl::ConsumePrefix(&topic, TopicPrefixOf(app_id)) || !IsChannelId(topic)) {
    return std::nullopt;
  }
  return std::string(topic);
}

std::string NoteOf(StoragePolicy policy) { return policy == StoragePolicy::kNewest ? "1" : "0"; }

StoragePolicy PolicyOf(absl::string_view note) {
  return note == "1" ? StoragePolicy::kNewest : StoragePolicy::kNone;
}

std::variant<push::v1::PublishRequest, Reason> TranslateBroadcast(const http::RequestHead& head,
                                                                  std::string body,
                                                                  const ChannelRoute& route,
                                                                  StoragePolicy policy,
                                                                  absl::Time now) {
  push::v1::PublishRequest request;
  request.set_topic(TopicOfChannel(route.app_id, route.channel_id));
  push::v1::SendRequest& message = *request.mutable_message();

  const absl::string_view push_type = HeaderOf(head, "apns-push-type");
  if (push_type.empty()) return Bad("MissingPushType");
  if (!IsPushType(push_type)) return Bad("InvalidPushType");
  if (!SetTtl(HeaderOf(head, "apns-expiration"), now, &message)) return Bad("BadExpirationDate");
  const auto priority = PriorityFrom(HeaderOf(head, "apns-priority"), push_type);
  if (!priority.has_value()) return Bad("BadPriority");
  message.set_priority(*priority);
  if (const auto id = ParseUuid(HeaderOf(head, "apns-request-id"))) {
    message.set_message_id(FormatUuid(*id));
  }
  if (policy == StoragePolicy::kNewest) {
    message.set_collapse_key(absl::StrCat(kTopicPrefix, route.channel_id));
  } else {
    message.mutable_ttl()->set_seconds(0);
  }
  if (const std::optional<Reason> wrong = CheckPayload(body)) return *wrong;
  message.set_payload(std::move(body));
  TakeCallTrace(head.headers, &message);
  return request;
}

std::string RequestIdFor(const http::RequestHead& head) { return IdFor(head, "apns-request-id"); }

}  // namespace bellwire::gateway::apns
