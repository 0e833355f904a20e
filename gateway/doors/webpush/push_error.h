#ifndef BELLWIRE_GATEWAY_DOORS_WEBPUSH_PUSH_ERROR_H_
#define BELLWIRE_GATEWAY_DOORS_WEBPUSH_PUSH_ERROR_H_

#include "absl/status/status.h"
#include "gateway/doors/http/reply.h"

namespace bellwire::webpush {

// How an error is told to an application server: a status of RFC 8030, and the JSON body that those
// of Mozilla's push service have, whose `errno` libraries read:
//
//   {"code": 410, "errno": 106, "error": "Gone", "message": "…", "more_info": "…", "reason": "…"}
//
// Senders forget a subscription for good on most 4xx. So what is wrong with the server, or passes
// by itself, is never one, but for 429 and 408, which they know. Pure. REQUIRES: !error.ok().
http::Reply ErrorReply(const absl::Status& error);
// The same with a status that is known already; 0: as `error` says.
http::Reply ErrorReply(int status, const absl::Status& error);

}  // namespace bellwire::webpush

#endif  // BELLWIRE_GATEWAY_DOORS_WEBPUSH_PUSH_ERROR_H_
