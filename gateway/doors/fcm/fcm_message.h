#ifndef BELLWIRE_GATEWAY_DOORS_FCM_FCM_MESSAGE_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_FCM_MESSAGE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"

// A message of FCM HTTP v1 as a Send. Pure function.
namespace bellwire::gateway::fcm {

// The longest body: JSON may escape each byte of a message of kMaxPayloadBytes in six, and spaces
// and the names that do not reach the app come on top.
inline constexpr size_t kMaxFcmBodyBytes = 32 * 1024;

struct FcmMessage {
  // Without token if it goes to a topic or a condition. With validate_only.
  push::v1::SendRequest send;
  // At most one of the two.
  std::string topic;
  std::string condition;
  // Only to this app; empty: to whichever.
  std::string app_id;
};

// Reads the body of messages:send. The app gets the message as JSON, with names in lowerCamelCase,
// without what was meant for this server:
//
//   android.collapseKey, else webpush.headers.Topic, else apns.headers.apns-collapse-id →
//   collapse_key android.priority, else webpush.headers.Urgency, else apns.headers.apns-priority,
//     else HIGH with a notification and NORMAL without                                  → priority
//   android.ttl, else webpush.headers.TTL, else apns.headers.apns-expiration             → ttl
//   android.restrictedPackageName                                                        → app_id
//
// Only fields of `android` are taken out, and only they are refused if they make no sense;
// `webpush` and `apns` reach the app whole.
//
// Errors, all INVALID_ARGUMENT: those of ReadSendMessageRequest, and
//   BAD_TARGET: not exactly one of token, topic and condition · RESERVED_DATA_KEY ·
//   PAYLOAD_TOO_LARGE
// and what the Send path says of the rest.
absl::StatusOr<FcmMessage> ReadFcmMessage(absl::string_view body, absl::Time now);

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_FCM_MESSAGE_H_
