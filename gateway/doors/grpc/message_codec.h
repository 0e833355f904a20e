#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_MESSAGE_CODEC_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_MESSAGE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"

// The messages of gRPC over HTTP/2: five bytes, a flag and a length, then so many bytes of message
// (gRPC's PROTOCOL-HTTP2.md, "Length-Prefixed-Message"). Pure functions.
namespace bellwire::gateway {

inline constexpr size_t kMessagePrefixBytes = 5;

enum class MessageEncoding : uint8_t { kIdentity, kGzip, kDeflate };
// Of the header `grpc-encoding`; nullopt: we don't know it.
std::optional<MessageEncoding> ParseMessageEncoding(absl::string_view name);
// What ParseMessageEncoding knows, for the header `grpc-accept-encoding`.
inline constexpr absl::string_view kAcceptedEncodings = "identity,deflate,gzip";

struct MessagePrefix {
  bool compressed;
  size_t bytes;
};
// From the first kMessagePrefixBytes. Errors are gRPC's, and end the call:
//   INTERNAL MALFORMED_MESSAGE · RESOURCE_EXHAUSTED MESSAGE_TOO_LARGE
absl::StatusOr<MessagePrefix> ParseMessagePrefix(absl::string_view prefix, MessageEncoding encoding,
                                                 size_t max_bytes);

// Undoes `encoding`, which isn't kIdentity. Stops, and has made nothing bigger, as soon as there is
// more than `max_bytes`.
//   INTERNAL MALFORMED_MESSAGE · RESOURCE_EXHAUSTED MESSAGE_TOO_LARGE
absl::StatusOr<std::string> Inflate(absl::string_view compressed, MessageEncoding encoding,
                                    size_t max_bytes);

// Appends the prefix and `message`, uncompressed.
void AppendMessage(const google::protobuf::MessageLite& message, std::string* out);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_MESSAGE_CODEC_H_
