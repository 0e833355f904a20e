#ifndef BELLWIRE_GATEWAY_DOORS_APNS_APNS_REQUEST_H_
#define BELLWIRE_GATEWAY_DOORS_APNS_APNS_REQUEST_H_

#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "crypto/token_sealer.h"
#include "gateway/doors/apns/apns_reason.h"
#include "gateway/doors/http/request_head.h"

// POST /3/device/TOKEN as a Send. Pure functions.
namespace bellwire::gateway::apns {

// "/3/device/".
inline constexpr absl::string_view kDevicePath = "/3/device/";

// What of the head alone is wrong, before a byte of the body is read: the method, the path, a
// header that is there twice. nullopt: nothing.
std::optional<Reason> CheckHead(const http::RequestHead& head);

// Translates what the caller said. The token must be one of the app that `apns-topic` names, with
// or without a suffix such as ".voip". The payload is the body, untouched.
//
//   apns-id          → message_id          apns-priority 10, 5, 1 → HIGH, NORMAL, LOW
//   apns-collapse-id → collapse_key        apns-push-type voip → HIGH, background → at most NORMAL
//   apns-expiration  → ttl; 0 and what has passed: now or never; absent or beyond: the longest ttl
//
// Reasons: BadDeviceToken, BadMessageId, BadExpirationDate, BadPriority, BadCollapseId,
// InvalidPushType, MissingTopic, BadTopic, DeviceTokenNotForTopic, PayloadEmpty, PayloadTooLarge,
// and BadPayload for a body that is not a JSON object.
std::variant<push::v1::SendRequest, Reason> Translate(const http::RequestHead& head,
                                                      std::string body, const TokenSealer& sealer,
                                                      absl::Time now);

}  // namespace bellwire::gateway::apns

#endif  // BELLWIRE_GATEWAY_DOORS_APNS_APNS_REQUEST_H_
