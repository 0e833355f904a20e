#include "gateway/doors/fcm/fcm_error.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/rest_error.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

using nlohmann::ordered_json;

constexpr char kFcmError[] = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
constexpr char kBadRequest[] = "type.googleapis.com/google.rpc.BadRequest";
constexpr char kQuotaFailure[] = "type.googleapis.com/google.rpc.QuotaFailure";
constexpr char kErrorInfo[] = "type.googleapis.com/google.rpc.ErrorInfo";

struct Told {
  int http_status;
  // Of google.rpc.Code.
  absl::string_view status;
  // Empty: FCM has none.
  absl::string_view error_code;
  // Instead of ours, where clients look for the words.
  absl::string_view message = "";
};

constexpr Told kInvalid = {400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"};
constexpr Told kBadToken = {400, "INVALID_ARGUMENT", "INVALID_ARGUMENT",
                            "The registration token is not a valid FCM registration token"};
constexpr Told kUnregistered = {404, "NOT_FOUND", "UNREGISTERED"};
constexpr Told kForeign = {403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"};
constexpr Told kQuota = {429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"};
constexpr Told kUnavailable = {503, "UNAVAILABLE", "UNAVAILABLE"};
constexpr Told kInternal = {500, "INTERNAL", "INTERNAL"};
// Not SENDER_ID_MISMATCH, which speaks of a token.
constexpr Told kDenied = {403, "PERMISSION_DENIED", ""};
constexpr Told kUnauthenticated = {401, "UNAUTHENTICATED", ""};
// Not NOT_FOUND, which clients take for a dead token.
constexpr Told kNoSuchPath = {404, "UNIMPLEMENTED", ""};
constexpr Told kNoSuchMethod = {405, "UNIMPLEMENTED", ""};
// Of topic subscriptions.
constexpr Told kNoSubscription = {404, "NOT_FOUND", ""};
constexpr Told kSubscribedAlready = {409, "ALREADY_EXISTS", ""};

struct Row {
  absl::string_view reason;
  Told told;
};

constexpr Row kRows[] = {
    {"BAD_DEVICE_TOKEN", kBadToken},
    {"UNREGISTERED", kUnregistered},
    {"TOKEN_NOT_FOR_TEAM", kForeign},
    {"QUOTA_EXCEEDED", kQuota},
    {"MAILBOX_FULL", kQuota},
    {"LIMIT_REACHED", kQuota},
    {"NO_SUCH_PATH", kNoSuchPath},
    {"METHOD_NOT_ALLOWED", kNoSuchMethod},
    {"NOT_SUBSCRIBED", kNoSubscription},
    {"SUBSCRIBED_ALREADY", kSubscribedAlready},
};

Told ToldOf(const absl::Status& error) {
  const std::string reason = ErrorReason(error);
  const Row* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                      [&](const Row& row) { return row.reason == reason; });
  if (row != std::end(kRows)) return row->told;
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kAlreadyExists:
      return kInvalid;
    case absl::StatusCode::kUnauthenticated:
      return kUnauthenticated;
    case absl::StatusCode::kPermissionDenied:
      return kDenied;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
      return kUnavailable;
    default:
      return kInternal;
  }
}

ordered_json DetailsOf(const absl::Status& error, const Told& told, const std::string& message) {
  ordered_json details = ordered_json::array();
  if (!told.error_code.empty()) {
    details.push_back({{"@type", kFcmError}, {"errorCode", std::string(told.error_code)}});
  }
  const std::optional<std::string> field = ErrorField(error);
  // Of a token FCM says no more than that it is none.
  if (field.has_value() && told.message.empty()) {
    details.push_back({{"@type", kBadRequest},
                       {"fieldViolations",
                        ordered_json::array({{{"field", *field}, {"description", message}}})}});
  }
  if (told.error_code == kQuota.error_code) {
    details.push_back({{"@type", kQuotaFailure},
                       {"violations", ordered_json::array({{{"subject", ErrorReason(error)},
                                                            {"description", message}}})}});
  }
  ordered_json metadata = ordered_json::object();
  for (const auto& [key, value] : AllErrorMetadata(error)) metadata[key] = value;
  details.push_back({{"@type", kErrorInfo},
                     {"reason", ErrorReason(error)},
                     {"domain", "bellwire"},
                     {"metadata", std::move(metadata)}});
  return details;
}

http::Reply ErrorReply(const absl::Status& error, int status, const ordered_json& body) {
  http::Reply reply = JsonReply(status, DumpJson(body) + "\n");
  if (std::optional<std::string> delay = RetryAfterOf(error)) {
    reply.headers.push_back({"retry-after", *std::move(delay)});
  } else if (status == kUnavailable.http_status) {
    reply.headers.push_back({"retry-after", "1"});
  }
  if (status == kUnauthenticated.http_status)
    reply.headers.push_back({"www-authenticate", "Bearer"});
  return reply;
}

}  // namespace

http::Reply JsonReply(int status, std::string body) {
  return {.status = status,
          .headers = {{"content-type", "application/json; charset=UTF-8"}},
          .body = std::move(body)};
}

http::Reply FcmErrorReply(const absl::Status& error) {
  const Told told = ToldOf(error);
  const std::string message(told.message.empty() ? error.message() : told.message);
  return ErrorReply(error, told.http_status,
                    {{"error",
                      {{"code", told.http_status},
                       {"message", message},
                       {"status", std::string(told.status)},
                       {"details", DetailsOf(error, told, message)}}}});
}

http::Reply InstanceIdErrorReply(const absl::Status& error) {
  const Told told = ToldOf(error);
  return ErrorReply(
      error, told.http_status,
      {{"error", std::string(told.status)}, {"message", std::string(error.message())}});
}

absl::string_view InstanceIdErrorOf(const absl::Status& error) {
  const std::string reason = ErrorReason(error);
  if (reason == "UNREGISTERED") return "NOT_FOUND";
  if (reason == "LIMIT_REACHED") return "TOO_MANY_TOPICS";
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case absl::StatusCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    // Not RESOURCE_EXHAUSTED, which clients take for too many topics.
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    default:
      return "INTERNAL";
  }
}

}  // namespace bellwire::gateway::fcm
