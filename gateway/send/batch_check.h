#ifndef BELLWIRE_GATEWAY_SEND_BATCH_CHECK_H_
#define BELLWIRE_GATEWAY_SEND_BATCH_CHECK_H_

#include "absl/status/status.h"
#include "google/protobuf/io/zero_copy_stream.h"

// What a batch may cost. Two bytes on the wire are an empty message, of which a parser makes some
// hundred bytes: the bounds hold before anything is parsed. Pure functions.
namespace bellwire::gateway {

// Reads a serialized push.v1.SendBatchRequest to its end, and keeps nothing of it.
//   INVALID_ARGUMENT BATCH_EMPTY, BATCH_TOO_LARGE: it has no message, or too many of them
//   INVALID_ARGUMENT TOO_MANY_FIELDS: a message, or the batch beside its messages, has more than
//     kMaxFieldsPerMessage
//   INVALID_ARGUMENT MALFORMED_REQUEST
absl::Status CheckBatch(google::protobuf::io::ZeroCopyInputStream* batch);

// MALFORMED_REQUEST.
absl::Status MalformedBatch();

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_BATCH_CHECK_H_
