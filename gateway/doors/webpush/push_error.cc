#include "gateway/doors/webpush/push_error.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "nlohmann/json.hpp"

namespace bellwire::webpush {
namespace {

constexpr char kMoreInfo[] = "https://datatracker.ietf.org/doc/html/rfc8030";

struct Answer {
  int status;
  // Of Mozilla's push service. 0: it has none for this.
  int number;
};

Answer AnswerTo(const absl::Status& error) {
  const std::string reason = ErrorReason(error);
  if (reason == "UNREGISTERED") return {410, 106};
  // Never made here; or an app's, which takes no Web Push.
  if (reason == "BAD_DEVICE_TOKEN" || reason == "TOKEN_NOT_FOR_TEAM") return {404, 102};
  if (reason == "MESSAGE_NOT_FOUND" || reason == "NOT_FOUND") return {404, 0};
  if (reason == "VAPID_KEY_MISMATCH" || reason == "RECEIPTS_OFF") return {403, 109};
  if (reason == "PAYLOAD_TOO_LARGE" || reason == "BODY_TOO_LARGE") return {413, 104};
  if (reason == "BAD_ENCRYPTION") return {400, 110};
  if (reason == "TTL_MISSING") return {400, 111};
  if (reason == "TTL_OUT_OF_RANGE") return {400, 114};
  if (reason == "BAD_TOPIC") return {400, 113};
  if (reason == "MAILBOX_FULL" || reason == "QUOTA_EXCEEDED" || reason == "LIMIT_REACHED") {
    return {429, 0};
  }
  if (reason == "METHOD_NOT_ALLOWED") return {405, 0};
  if (reason == "REQUEST_TIMEOUT") return {408, 0};
  switch (error.code()) {
    case absl::StatusCode::kUnauthenticated:
      return {401, 109};
    case absl::StatusCode::kInvalidArgument:
      return {400, 0};
    case absl::StatusCode::kAlreadyExists:
      return {409, 0};
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
      return {503, 201};
    default:
      return {500, 999};
  }
}

absl::string_view PhraseOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Payload Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

http::Reply ErrorReply(const absl::Status& error) { return ErrorReply(0, error); }

http::Reply ErrorReply(int status, const absl::Status& error) {
  Answer answer = AnswerTo(error);
  if (status != 0) answer.status = status;
  nlohmann::json body = {{"code", answer.status},
                         {"error", std::string(PhraseOf(answer.status))},
                         {"message", std::string(error.message())},
                         {"more_info", kMoreInfo},
                         {"reason", ErrorReason(error)}};
  if (answer.number != 0) body["errno"] = answer.number;
  http::Reply reply{.status = answer.status, .headers = {{"content-type", "application/json"}}};
  // What a client wrote is quoted nowhere, but an error's text is not sworn to be UTF-8.
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto add = [&reply](absl::string_view name, std::string value) {
    reply.headers.push_back({std::string(name), std::move(value)});
  };
  if (answer.status == 401) add("www-authenticate", "vapid");
  if (answer.status == 410) add("cache-control", "max-age=86400");
  if (answer.status == 429 || answer.status == 503) {
    const absl::Duration wait = RetryAfter(error).value_or(kOverloadedRetryAfter);
    const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1)));
    add("retry-after", absl::StrCat(std::max<int64_t>(1, seconds)));
  }
  return reply;
}

}  // namespace bellwire::webpush
