#ifndef BELLWIRE_GATEWAY_DOORS_JSON_TIMESTAMP_TEXT_H_
#define BELLWIRE_GATEWAY_DOORS_JSON_TIMESTAMP_TEXT_H_

#include "absl/strings/string_view.h"
#include "google/protobuf/timestamp.pb.h"

namespace bellwire::gateway {

// Reads a time of RFC 3339, such as "2030-01-31T12:00:00Z", from a stranger. False, and `time` is
// not to be used, for other text and for a time outside of the years 1 to 9999 in UTC. Protobuf's
// own parser ends the process on a time that only its offset moves out: 9999-12-31T23:59:59-01:00.
bool ReadTimestamp(absl::string_view text, google::protobuf::Timestamp* time);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_JSON_TIMESTAMP_TEXT_H_
