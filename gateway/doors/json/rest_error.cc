#include "gateway/doors/json/rest_error.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "gateway/doors/json/json_text.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

constexpr int kPayloadTooLarge = 413;

absl::string_view CodeName(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kCancelled:
      return "CANCELLED";
    case absl::StatusCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case absl::StatusCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case absl::StatusCode::kNotFound:
      return "NOT_FOUND";
    case absl::StatusCode::kAlreadyExists:
      return "ALREADY_EXISTS";
    case absl::StatusCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case absl::StatusCode::kUnauthenticated:
      return "UNAUTHENTICATED";
    case absl::StatusCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case absl::StatusCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case absl::StatusCode::kAborted:
      return "ABORTED";
    case absl::StatusCode::kOutOfRange:
      return "OUT_OF_RANGE";
    case absl::StatusCode::kUnimplemented:
      return "UNIMPLEMENTED";
    case absl::StatusCode::kUnavailable:
      return "UNAVAILABLE";
    case absl::StatusCode::kInternal:
      return "INTERNAL";
    case absl::StatusCode::kDataLoss:
      return "DATA_LOSS";
    default:
      return "UNKNOWN";
  }
}

}  // namespace

int HttpStatusOf(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  if (reason == "PAYLOAD_TOO_LARGE" || reason == "BODY_TOO_LARGE") return kPayloadTooLarge;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

std::optional<std::string> RetryAfterOf(const absl::Status& status) {
  const std::optional<absl::Duration> delay = RetryAfter(status);
  if (!delay.has_value()) return std::nullopt;
  return absl::StrCat(
      std::max<int64_t>(1, absl::ToInt64Seconds(absl::Ceil(*delay, absl::Seconds(1)))));
}

std::string ErrorToJson(const absl::Status& status, int http_status) {
  using nlohmann::ordered_json;
  ordered_json metadata = ordered_json::object();
  for (const auto& [key, value] : AllErrorMetadata(status)) metadata[key] = value;
  ordered_json details = ordered_json::array();
  details.push_back({{"@type", "type.googleapis.com/google.rpc.ErrorInfo"},
                     {"reason", ErrorReason(status)},
                     {"domain", "bellwire"},
                     {"metadata", std::move(metadata)}});
  if (const std::optional<std::string> field = ErrorField(status)) {
    details.push_back({{"@type", "type.googleapis.com/google.rpc.BadRequest"},
                       {"fieldViolations",
                        ordered_json::array({{{"field", *field},
                                              {"description", std::string(status.message())}}})}});
  }
  if (const std::optional<absl::Duration> delay = RetryAfter(status)) {
    details.push_back({{"@type", "type.googleapis.com/google.rpc.RetryInfo"},
                       {"retryDelay", absl::StrCat(absl::ToDoubleSeconds(*delay), "s")}});
  }
  return DumpJson({{"error",
                    {{"code", http_status},
                     {"message", std::string(status.message())},
                     {"status", CodeName(status.code())},
                     {"details", std::move(details)}}}});
}

http::Reply ErrorReply(const absl::Status& status) {
  return ErrorReply(status, HttpStatusOf(status));
}

http::Reply ErrorReply(const absl::Status& status, int http_status) {
  http::Reply reply{.status = http_status, .headers = {{"content-type", "application/json"}}};
  if (std::optional<std::string> delay = RetryAfterOf(status)) {
    reply.headers.push_back({"retry-after", *std::move(delay)});
  }
  if (http_status == 401) reply.headers.push_back({"www-authenticate", "Bearer"});
  reply.body = ErrorToJson(status, http_status) + "\n";
  return reply;
}

}  // namespace bellwire::gateway
