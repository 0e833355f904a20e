#ifndef BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_ERROR_H_
#define BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/doors/http/reply.h"

// Errors as ntfy's clients read them: {"code":40009,"http":400,"error":"..."}. The first three
// digits of a code are the HTTP status. Pure functions.
namespace bellwire::gateway {

// An error with a code that ntfy's documentation lists.
absl::Status NtfyError(int code, absl::string_view message);

// `status` as such an answer: with the code of NtfyError, or for an error of the rest of Bellwire
// with the nearest one. REQUIRES: !status.ok().
http::Reply NtfyErrorReply(const absl::Status& status);
// With this HTTP status.
http::Reply NtfyErrorReply(const absl::Status& status, int http_status);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_ERROR_H_
