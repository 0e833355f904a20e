#ifndef BELLWIRE_GATEWAY_DOORS_MATRIX_MATRIX_NOTIFY_H_
#define BELLWIRE_GATEWAY_DOORS_MATRIX_MATRIX_NOTIFY_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/public_urls.h"

// The Matrix push gateway API (https://spec.matrix.org/latest/push-gateway-api) without its HTTP.
// Pure functions.
namespace bellwire::gateway {

// As Sygnal.
inline constexpr size_t kMaxMatrixBodyBytes = 512 * 1024;
// Homeservers name one.
inline constexpr size_t kMaxMatrixDevices = 64;

// What is to be done about one device of a notification.
struct MatrixPush {
  // As the homeserver names it, to be repeated if it is rejected.
  std::string pushkey;
  // nullopt: the pushkey is no endpoint of this server. Nothing is ever sent anywhere else.
  std::optional<push::v1::SendRequest> send;
};

// The token that an endpoint of this server names: PUBLIC_URL/wpush/TOKEN, and nothing behind it.
// nullopt: the URL is another's.
std::optional<std::string> TokenOfEndpoint(absl::string_view url, const PublicUrls& public_urls);

// Reads the body of POST /_matrix/push/v1/notify, one push a device. The payload is the
// notification without the other devices; if it is too long for a message, what an app needs to
// fetch the rest, as with the format "event_id_only". A notification of an event has a message id
// that follows from the event, so a homeserver that asks again causes no second message; one of
// counts alone replaces the one before it.
//   INVALID_ARGUMENT M_NOT_JSON, M_BAD_JSON, M_MISSING_PARAM
absl::StatusOr<std::vector<MatrixPush>> ReadMatrixNotify(absl::string_view body,
                                                         const PublicUrls& public_urls);

// What a Send's end means for the homeserver.
enum class MatrixVerdict {
  kAccepted,
  // The pusher is to be deleted: the endpoint is dead, no endpoint, or bound to a VAPID key, which
  // no homeserver has.
  kRejected,
  // A temporary cause: the homeserver is to ask again.
  kRetry,
};
MatrixVerdict JudgeMatrixSend(const absl::Status& sent);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_MATRIX_MATRIX_NOTIFY_H_
