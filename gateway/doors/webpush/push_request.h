#ifndef BELLWIRE_GATEWAY_DOORS_WEBPUSH_PUSH_REQUEST_H_
#define BELLWIRE_GATEWAY_DOORS_WEBPUSH_PUSH_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "gateway/doors/http/door.h"

// From the request for a push (RFC 8030, 5) to a SendRequest. Pure.
namespace bellwire::webpush {

// A longer key says more than an id has to.
inline constexpr size_t kMaxIdempotencyKeyBytes = 256;
inline constexpr size_t kMaxTopicChars = 32;

struct PushRequest {
  // Without token.
  push::v1::SendRequest send;
  internal::v1::Content content;
  // What the answer says: the TTL asked for, or the greatest that there is.
  int64_t ttl_seconds = 0;
  // The sender wants to hear what becomes of the message (Prefer: respond-async).
  bool wants_receipt = false;
};

// `token`: what the message is sent to; makes the ids of Idempotency-Keys its own.
//   INVALID_ARGUMENT TTL_MISSING, TTL_OUT_OF_RANGE, BAD_TOPIC, BAD_ENCRYPTION, BAD_IDEMPOTENCY_KEY,
//   DUPLICATE_FIELD: one of the fields that count is there twice
absl::StatusOr<PushRequest> ParsePushRequest(const http::HeaderList& headers, std::string body,
                                             absl::string_view token);

// The message id that an Idempotency-Key stands for, as text: a UUID is taken as it is, anything
// else is hashed with `token` as the key. So a retry comes to the same id at any gateway, and one
// token's keys tell nothing of another's.
std::string MessageIdOfKey(absl::string_view key, absl::string_view token);

// Whether `Prefer` (RFC 7240), in any of its fields, has this token.
bool Prefers(const http::HeaderList& headers, absl::string_view preference);
// How long the client waits for an answer (`Prefer: wait=30`, in seconds); nullopt: it doesn't say
// so.
std::optional<absl::Duration> PreferredWait(const http::HeaderList& headers);

}  // namespace bellwire::webpush

#endif  // BELLWIRE_GATEWAY_DOORS_WEBPUSH_PUSH_REQUEST_H_
