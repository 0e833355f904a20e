#include "gateway/send/validator.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace_context.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace bellwire::gateway {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

// nullopt: not a duration (google/protobuf/duration.proto), or longer than any ttl.
std::optional<absl::Duration> ParseTtl(const google::protobuf::Duration& ttl) {
  if (ttl.seconds() < 0 || ttl.nanos() < 0 || ttl.nanos() >= kNanosPerSecond) return std::nullopt;
  const absl::Duration parsed = absl::Seconds(ttl.seconds()) + absl::Nanoseconds(ttl.nanos());
  if (parsed > kMaxTtl) return std::nullopt;
  return parsed;
}

// nullopt: not a timestamp (google/protobuf/timestamp.proto).
std::optional<absl::Time> ParseTimestamp(const google::protobuf::Timestamp& timestamp) {
  constexpr int64_t kYear1 = -62'135'596'800;
  constexpr int64_t kEndOfYear9999 = 253'402'300'799;
  if (timestamp.seconds() < kYear1 || timestamp.seconds() > kEndOfYear9999 ||
      timestamp.nanos() < 0 || timestamp.nanos() >= kNanosPerSecond) {
    return std::nullopt;
  }
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

// Never down to zero, which would mean something else.
int64_t CeilToMilliseconds(absl::Duration d) {
  return absl::ToInt64Milliseconds(absl::Ceil(d, absl::Milliseconds(1)));
}

}  // namespace

absl::StatusOr<ValidatedSend> ValidateSend(const push::v1::SendRequest& request, absl::Time now) {
  ValidatedSend valid;

  if (request.payload().size() > kMaxPayloadBytes) {
    return InvalidField(
        "PAYLOAD_TOO_LARGE", "payload",
        absl::StrCat("The payload has ", request.payload().size(), " bytes; at most ",
                     kMaxPayloadBytes,
                     " are allowed. Send a reference and let the app fetch the rest."));
  }

  if (!request.message_id().empty()) {
    absl::StatusOr<MessageId> id = ValidateMessageId(request.message_id());
    if (!id.ok()) return id.status();
    valid.message_id = *id;
  }

  if (request.collapse_key().size() > kMaxCollapseKeyBytes) {
    return InvalidField("COLLAPSE_KEY_TOO_LONG", "collapse_key",
                        absl::StrCat("The collapse key has ", request.collapse_key().size(),
                                     " bytes; at most ", kMaxCollapseKeyBytes, " are allowed."));
  }

  // Those are the server's own.
  if (!request.collapse_key().empty() && request.collapse_key().front() == '\0') {
    return InvalidField("BAD_COLLAPSE_KEY", "collapse_key",
                        "A collapse key does not begin with a NUL.");
  }

  switch (request.priority()) {
    case push::v1::PRIORITY_UNSPECIFIED:
      break;
    case push::v1::PRIORITY_HIGH:
    case push::v1::PRIORITY_NORMAL:
    case push::v1::PRIORITY_LOW:
      valid.priority = request.priority();
      break;
    default:
      return InvalidField(
          "BAD_PRIORITY", "priority",
          absl::StrCat("There is no priority ", static_cast<int>(request.priority()),
                       "; use PRIORITY_HIGH, PRIORITY_NORMAL or PRIORITY_LOW."));
  }

  absl::Duration ttl = kMaxTtl;
  if (request.has_ttl()) {
    const std::optional<absl::Duration> parsed = ParseTtl(request.ttl());
    if (!parsed.has_value()) {
      return InvalidField("TTL_OUT_OF_RANGE", "ttl",
                          absl::StrCat("The ttl is not a duration from 0 s (now or never) to ",
                                       absl::ToInt64Seconds(kMaxTtl), " s (28 days)."));
    }
    ttl = *parsed;
  }
  valid.now_or_never = ttl == absl::ZeroDuration();

  valid.accepted_at_ms = absl::ToUnixMillis(now);
  if (request.has_deliver_at()) {
    const std::optional<absl::Time> deliver_at = ParseTimestamp(request.deliver_at());
    if (!deliver_at.has_value() || *deliver_at > now + kMaxDeliverAtAhead) {
      return InvalidField("DELIVER_AT_OUT_OF_RANGE", "deliver_at",
                          absl::StrCat("deliver_at is not a time up to 30 days after now (",
                                       absl::FormatTime(now, absl::UTCTimeZone()), ")."));
    }
    if (valid.now_or_never) {
      return InvalidField(
          "DELIVER_AT_OUT_OF_RANGE", "deliver_at",
          "ttl zero means now or never, so there is no later time to deliver at. Set a "
          "ttl, or leave out deliver_at.");
    }
    const int64_t deliver_at_ms = absl::ToUnixMillis(*deliver_at);
    // As it was asked for even if it has passed: a retry through a gateway with another clock is to
    // say the same. Whether it is time, the registry's clock decides.
    valid.deliver_at_ms = std::max<int64_t>(0, deliver_at_ms);
  }
  if (!request.traceparent().empty()) {
    std::optional<std::string> trace = ParseTraceparent(request.traceparent());
    if (!trace.has_value()) {
      return InvalidField(
          "BAD_TRACEPARENT", "traceparent",
          "The traceparent is not one of W3C Trace Context, such as "
          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01. Leave it out if the message "
          "belongs to no trace.");
    }
    valid.trace_context = *std::move(trace);
  }
  valid.expires_at_ms =
      std::max(valid.accepted_at_ms, valid.deliver_at_ms) + CeilToMilliseconds(ttl);
  return valid;
}

absl::StatusOr<TokenContents> OpenToken(absl::string_view token, const TokenSealer& sealer) {
  // The token itself stays out of the message: errors end up in logs, and tokens must not.
  if (token.empty())
    return InvalidField("BAD_DEVICE_TOKEN", "token", "The device token is missing.");
  if (token.size() > kMaxTokenChars) {
    return InvalidField("BAD_DEVICE_TOKEN", "token",
                        absl::StrCat("The device token has ", token.size(), " characters; at most ",
                                     kMaxTokenChars, " are possible."));
  }
  if (token.find_first_not_of("0123456789abcdef") != absl::string_view::npos) {
    return InvalidField(
        "BAD_DEVICE_TOKEN", "token",
        "The device token is not lower-case hex: pass it on exactly as the app got it.");
  }
  const std::optional<TokenContents> contents = sealer.Open(token);
  if (!contents.has_value()) {
    return InvalidField(
        "BAD_DEVICE_TOKEN", "token",
        "This server never issued the device token: it belongs to another server, or was "
        "changed on the way.");
  }
  return *contents;
}

absl::StatusOr<MessageId> ValidateMessageId(absl::string_view text) {
  const std::optional<MessageId> id = ParseUuid(text);
  if (!id.has_value() || id->is_zero()) {
    return InvalidField("BAD_MESSAGE_ID", "message_id",
                        "The message id is not a UUID of 36 characters, such as "
                        "123e4567-e89b-42d3-a456-426614174000.");
  }
  return *id;
}

}  // namespace bellwire::gateway
