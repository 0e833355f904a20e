#ifndef BELLWIRE_GATEWAY_DOORS_APNS_APNS_CHANNELS_H_
#define BELLWIRE_GATEWAY_DOORS_APNS_APNS_CHANNELS_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/topics.pb.h"
#include "gateway/doors/apns/apns_reason.h"
#include "gateway/doors/http/request_head.h"

// Broadcast channels of APNs as topics of the team. Pure functions, but for NewChannelId.
//
// A channel is the kept topic "apns-channel.APP_ID.CHANNEL_ID": an app on a phone subscribes to it
// by that name. The topic's note is the channel's storage policy, "0" or "1".
namespace bellwire::gateway::apns {

// What a request asks of channels.
struct ChannelRoute {
  enum class Action { kCreate, kRead, kReadAll, kDelete, kBroadcast };
  Action action = Action::kCreate;
  std::string app_id;
  // Of kRead, kDelete and kBroadcast. Well-formed.
  std::string channel_id;
};

// Whether a path is one of channels: /1/..., /4/....
bool IsChannelPath(absl::string_view path);

// By the head alone: POST, GET, DELETE /1/apps/APP_ID/channels, GET /1/apps/APP_ID/all-channels and
// POST /4/broadcasts/apps/APP_ID. REQUIRES: IsChannelPath(head.path). Reasons: BadPath,
// MethodNotAllowed, DuplicateHeaders, MissingProviderToken, BadTopic, MissingChannelId,
// BadChannelId.
std::variant<ChannelRoute, Reason> RouteOf(const http::RequestHead& head);

// Of what waits for a phone that is away.
enum class StoragePolicy {
  // Nothing.
  kNone = 0,
  // The newest message of the channel.
  kNewest = 1,
};

// The body of kCreate. Reasons: PayloadEmpty, MissingPushType, InvalidPushType, and
// CannotCreateChannelConfig for everything else.
std::variant<StoragePolicy, Reason> ParseChannel(absl::string_view body);
// As kRead answers it.
std::string RenderChannel(StoragePolicy policy);
// As kReadAll answers them.
std::string RenderChannels(const std::vector<std::string>& channel_ids);

// 20 random characters, which are base64 as APNs' ids are. Thread-safe.
std::string NewChannelId();
std::string TopicOfChannel(absl::string_view app_id, absl::string_view channel_id);
// All channels of the app begin so.
std::string TopicPrefixOf(absl::string_view app_id);
// nullopt: the topic is no channel of the app.
std::optional<std::string> ChannelOfTopic(absl::string_view app_id, absl::string_view topic);

std::string NoteOf(StoragePolicy policy);
StoragePolicy PolicyOf(absl::string_view note);

// Translates a broadcast. `apns-request-id` is the message id if it is a UUID. Reasons:
// MissingPushType, InvalidPushType, BadExpirationDate, BadPriority, PayloadEmpty, PayloadTooLarge,
// BadPayload.
std::variant<push::v1::PublishRequest, Reason> TranslateBroadcast(const http::RequestHead& head,
                                                                  std::string body,
                                                                  const ChannelRoute& route,
                                                                  StoragePolicy policy,
                                                                  absl::Time now);

// What names the request in its answer: its `apns-request-id` as it came, or a new UUID.
std::string RequestIdFor(const http::RequestHead& head);

}  // namespace bellwire::gateway::apns

#endif  // BELLWIRE_GATEWAY_DOORS_APNS_APNS_CHANNELS_H_
