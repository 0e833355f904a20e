#ifndef BELLWIRE_GATEWAY_DOORS_JSON_MESSAGE_JSON_H_
#define BELLWIRE_GATEWAY_DOORS_JSON_MESSAGE_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

// Protobuf's JSON mapping (https://protobuf.dev/programming-guides/json), for the messages of the
// provider API. Side by side, a Send and its answer cost protobuf's own json_util four times as
// much, which is more than half of what the rest of the Send costs. Pure functions.
namespace bellwire::gateway {

// Reads names in lowerCamelCase or as the .proto has them, enums by name or number, bytes in either
// base64, durations and times as text; null is the default. Fields of the message may be strings,
// bytes, bools, enums, messages, and lists of strings or messages: REQUIRES that it has no others.
// At most `max_elements` elements in lists, and one field of a oneof. Errors, all INVALID_ARGUMENT,
// with the field's name where there is one:
//   MALFORMED_JSON · UNKNOWN_FIELD · DUPLICATE_FIELD, in whichever spelling · BAD_VALUE ·
//   BATCH_TOO_LARGE
absl::Status ParseMessageJson(absl::string_view text, size_t max_elements,
                              google::protobuf::Message* message);

// Names in lowerCamelCase, enums by name, and every field that isn't a message, also where it has
// its default; an int64 is a text. REQUIRES: besides those above the message has fields of int32
// and int64 at most.
std::string MessageToJson(const google::protobuf::Message& message);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_JSON_MESSAGE_JSON_H_
