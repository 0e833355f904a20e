#ifndef BELLWIRE_GATEWAY_DOORS_FCM_FCM_SCHEMA_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_FCM_SCHEMA_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

// The JSON of FCM HTTP v1, as protobuf's JSON mapping reads it. Pure function.
namespace bellwire::gateway::fcm {

// Reads a SendMessageRequest: {"message": {...}, "validate_only": true}. Names come in
// lowerCamelCase or in snake_case and leave in lowerCamelCase; what is null or absent is left out;
// enums come by name, in capitals or not, and leave in capitals. What FCM lets its callers choose
// (values of `data`, the notification of `webpush`, the payload of `apns`) stays as it is.
//
// Errors, all INVALID_ARGUMENT, with the path of the field where there is one, such as
// "message.android.ttl":
//   MALFORMED_JSON · JSON_TOO_DEEP · JSON_TOO_LARGE · UNKNOWN_FIELD: the path is that of the object
//   around it · DUPLICATE_FIELD, in whichever spelling · BAD_VALUE
absl::StatusOr<nlohmann::json> ReadSendMessageRequest(absl::string_view text);

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_FCM_SCHEMA_H_
