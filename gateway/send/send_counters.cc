#include "gateway/send/send_counters.h"

#include <string>

#include "common/error.h"

namespace bellwire::gateway {

absl::string_view Name(SendAnswer answer) {
  switch (answer) {
    case SendAnswer::kAccepted:
      return "accepted";
    case SendAnswer::kDelivered:
      return "delivered";
    case SendAnswer::kNotConnected:
      return "not_connected";
    case SendAnswer::kDuplicate:
      return "duplicate";
    case SendAnswer::kValid:
      return "valid";
    case SendAnswer::kInvalid:
      return "invalid";
    case SendAnswer::kBadToken:
      return "bad_token";
    case SendAnswer::kUnregistered:
      return "unregistered";
    case SendAnswer::kMailboxFull:
      return "mailbox_full";
    case SendAnswer::kOverloaded:
      return "overloaded";
    case SendAnswer::kQuota:
      return "quota";
    case SendAnswer::kUnavailable:
      return "unavailable";
    case SendAnswer::kInternal:
      return "internal";
  }
  return "?";
}

SendAnswer AnswerOf(const absl::Status& error) {
  const std::string reason = ErrorReason(error);
  if (reason == "UNREGISTERED") return SendAnswer::kUnregistered;
  if (reason == "BAD_DEVICE_TOKEN" || reason == "TOKEN_NOT_FOR_TEAM" ||
      reason == "VAPID_KEY_MISMATCH") {
    return SendAnswer::kBadToken;
  }
  if (reason == "MAILBOX_FULL") return SendAnswer::kMailboxFull;
  if (reason == "QUOTA_EXCEEDED") return SendAnswer::kQuota;
  switch (error.code()) {
    case absl::StatusCode::kResourceExhausted:
      return SendAnswer::kOverloaded;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return SendAnswer::kUnavailable;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return SendAnswer::kInvalid;
    default:
      return SendAnswer::kInternal;
  }
}

SendAnswer AnswerOf(const push::v1::SendResponse& response) {
  if (response.duplicate()) return SendAnswer::kDuplicate;
  switch (response.outcome()) {
    case push::v1::SendResponse::DELIVERED:
      return SendAnswer::kDelivered;
    case push::v1::SendResponse::NOT_CONNECTED:
      return SendAnswer::kNotConnected;
    case push::v1::SendResponse::VALID:
      return SendAnswer::kValid;
    default:
      return SendAnswer::kAccepted;
  }
}

void SendCounters::Report(metrics::Samples* samples) const {
  for (size_t door = 0; door < kSendDoors; ++door) {
    const absl::string_view door_name = Name(static_cast<SendDoor>(door));
    for (const bool is_team : {false, true}) {
      for (size_t answer = 0; answer < kSendAnswers; ++answer) {
        const uint64_t count = messages_[door][is_team ? 1 : 0][answer].value();
        const bool always = is_team && static_cast<SendAnswer>(answer) == SendAnswer::kAccepted;
        if (count == 0 && !always) continue;
        samples->Add(metrics::kMessages,
                     {door_name, is_team ? "team" : "subscription",
                      Name(static_cast<SendAnswer>(answer))},
                     static_cast<double>(count));
      }
    }
    samples->Add(metrics::kSendSeconds, {door_name}, times_[door]);
  }
}

}  // namespace bellwire::gateway
