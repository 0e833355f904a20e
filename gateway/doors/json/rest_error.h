#ifndef BELLWIRE_GATEWAY_DOORS_JSON_REST_ERROR_H_
#define BELLWIRE_GATEWAY_DOORS_JSON_REST_ERROR_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "gateway/doors/http/reply.h"

// Errors of the provider API as HTTP tells them. Pure functions. REQUIRES of all: !status.ok().
namespace bellwire::gateway {

// By the canonical code, as google.rpc.Code maps them; 413 for what is too large.
int HttpStatusOf(const absl::Status& status);

// The value of `retry-after`, in whole seconds, at least 1. nullopt: the error doesn't say.
std::optional<std::string> RetryAfterOf(const absl::Status& status);

// {"error":{"code":404,"message":"...","status":"NOT_FOUND","details":[...]}} with the details that
// a gRPC client gets: ErrorInfo, and where they apply BadRequest and RetryInfo.
std::string ErrorToJson(const absl::Status& status, int http_status);

// The whole answer, with `retry-after` and `www-authenticate` where they apply.
http::Reply ErrorReply(const absl::Status& status);
// With another HTTP status.
http::Reply ErrorReply(const absl::Status& status, int http_status);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_JSON_REST_ERROR_H_
