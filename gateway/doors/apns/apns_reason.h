#ifndef BELLWIRE_GATEWAY_DOORS_APNS_APNS_REASON_H_
#define BELLWIRE_GATEWAY_DOORS_APNS_APNS_REASON_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/doors/http/reply.h"

// How the APNs provider API says what went wrong: a status and a reason that its clients look at.
// Pure functions.
namespace bellwire::gateway::apns {

struct Reason {
  int status = 500;
  // A literal, such as "BadDeviceToken".
  absl::string_view name = "InternalServerError";
  // With 410: when the token died.
  std::optional<absl::Time> dead_since;
  // With 429 and 503.
  std::optional<absl::Duration> retry_after;
};

// What a client of APNs is told of an error of the Send path. REQUIRES: !error.ok(). What the
// client must not take for a dead token is never told as one: a cause that passes is 429, 500 or
// 503.
Reason ReasonOf(const absl::Status& error);

// The whole answer: {"reason":"..."}, with "timestamp" (milliseconds since the Unix epoch) where it
// is known. `id` is on every answer, in the field of that name.
http::Reply ToReply(const Reason& reason, absl::string_view id,
                    absl::string_view id_field = "apns-id");

}  // namespace bellwire::gateway::apns

#endif  // BELLWIRE_GATEWAY_DOORS_APNS_APNS_REASON_H_
