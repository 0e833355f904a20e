#ifndef BELLWIRE_GATEWAY_DOORS_FCM_FCM_ERROR_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_FCM_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/doors/http/reply.h"

// How FCM HTTP v1 says what went wrong. Pure functions.
namespace bellwire::gateway::fcm {

// What a client of FCM is told of an error. REQUIRES: !error.ok().
//
// The body is a google.rpc.Status in JSON: {"error": {"code", "message", "status", "details"}}.
// Where FCM has an error code for it, the first of `details` is its FcmError; some clients look at
// no other. Behind it come google.rpc.BadRequest with the field that is wrong,
// google.rpc.QuotaFailure, and our ErrorInfo.
//
// Clients delete tokens for UNREGISTERED, and for any NOT_FOUND: only a dead token is ever told so.
// A cause that passes is 429 or 503, with `retry-after`. Errors of HTTP itself
// (WholeBodyDoor::Error) are told as what they mean to FCM's clients: 400, 500 or 503.
http::Reply FcmErrorReply(const absl::Status& error);

// The whole answer in JSON.
http::Reply JsonReply(int status, std::string body);

// The same as the Instance ID service says it: {"error": "PERMISSION_DENIED", "message": "..."}.
http::Reply InstanceIdErrorReply(const absl::Status& error);

// What the topic management of the Instance ID service calls the error of one token; points to a
// literal. REQUIRES: !error.ok().
absl::string_view InstanceIdErrorOf(const absl::Status& error);

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_FCM_ERROR_H_
