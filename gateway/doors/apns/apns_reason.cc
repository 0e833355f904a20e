#include "gateway/doors/apns/apns_reason.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::gateway::apns {
namespace {

struct Row {
  absl::string_view error;
  int status;
  absl::string_view name;
};

constexpr Row kRows[] = {
    {"BAD_DEVICE_TOKEN", 400, "BadDeviceToken"},
    // The topic is the token's, and another team's: that the key is the wrong one says nothing of
    // the token, which clients throw away with other reasons.
    {"TOKEN_NOT_FOR_TEAM", 400, "TopicDisallowed"},
    {"UNREGISTERED", 410, "Unregistered"},
    {"BAD_MESSAGE_ID", 400, "BadMessageId"},
    // The id names another message already.
    {"MESSAGE_ID_REUSED", 400, "BadMessageId"},
    {"COLLAPSE_KEY_TOO_LONG", 400, "BadCollapseId"},
    {"BAD_COLLAPSE_KEY", 400, "BadCollapseId"},
    {"TTL_OUT_OF_RANGE", 400, "BadExpirationDate"},
    {"BAD_PRIORITY", 400, "BadPriority"},
    {"PAYLOAD_TOO_LARGE", 413, "PayloadTooLarge"},
    {"BODY_TOO_LARGE", 413, "PayloadTooLarge"},
    {"MISSING_CREDENTIAL", 403, "MissingProviderToken"},
    {"BAD_CREDENTIAL", 403, "InvalidProviderToken"},
    {"EXPIRED_CREDENTIAL", 403, "ExpiredProviderToken"},
    {"TOPIC_NOT_FOUND", 400, "ChannelNotRegistered"},
    {"LIMIT_REACHED", 429, "TooManyRequests"},
    {"MAILBOX_FULL", 429, "TooManyRequests"},
    {"QUOTA_EXCEEDED", 429, "TooManyRequests"},
    {"SHUTTING_DOWN", 503, "Shutdown"},
};

const Row* FindRow(absl::string_view error) {
  const Row* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                      [&](const Row& row) { return row.error == error; });
  return row == std::end(kRows) ? nullptr : row;
}

}  // namespace

Reason ReasonOf(const absl::Status& error) {
  Reason reason;
  reason.retry_after = RetryAfter(error);
  if (const Row* row = FindRow(ErrorReason(error))) {
    reason.status = row->status;
    reason.name = row->name;
  } else {
    switch (error.code()) {
      case absl::StatusCode::kUnauthenticated:
        reason.status = 403;
        reason.name = "InvalidProviderToken";
        break;
      case absl::StatusCode::kPermissionDenied:
        reason.status = 403;
        reason.name = "Forbidden";
        break;
      case absl::StatusCode::kUnavailable:
      case absl::StatusCode::kResourceExhausted:
      case absl::StatusCode::kDeadlineExceeded:
        reason.status = 503;
        reason.name = "ServiceUnavailable";
        break;
      default:
        break;
    }
  }
  if (reason.status == 410) {
    const std::optional<std::string> since = ErrorMetadata(error, "unregistered_at");
    absl::Time time;
    if (since.has_value() && absl::ParseTime(absl::RFC3339_full, *since, &time, nullptr)) {
      reason.dead_since = time;
    }
  }
  return reason;
}

http::Reply ToReply(const Reason& reason, absl::string_view id, absl::string_view id_field) {
  http::Reply reply{.status = reason.status,
                    .headers = {{"content-type", "application/json"},
                                {std::string(id_field), std::string(id)}}};
  reply.body = absl::StrCat("{\"reason\":\"", reason.name, "\"");
  if (reason.dead_since.has_value()) {
    absl::StrAppend(&reply.body, ",\"timestamp\":", absl::ToUnixMillis(*reason.dead_since));
  }
  absl::StrAppend(&reply.body, "}");
  if (reason.retry_after.has_value()) {
    reply.headers.push_back(
        {"retry-after",
         absl::StrCat(std::max<int64_t>(
             1, absl::ToInt64Seconds(absl::Ceil(*reason.retry_after, absl::Seconds(1)))))});
  }
  return reply;
}

}  // namespace bellwire::gateway::apns
