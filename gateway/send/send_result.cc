#include "gateway/send/send_result.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/error.h"

namespace bellwire::gateway {
namespace {

// Seconds and the rest in nanoseconds: the two fields of the well-known Duration and Timestamp.
template <typename Proto>
void SetSecondsAndNanos(absl::Duration since, Proto* proto) {
  const absl::Duration seconds = absl::Floor(since, absl::Seconds(1));
  proto->set_seconds(absl::ToInt64Seconds(seconds));
  proto->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(since - seconds)));
}

}  // namespace

push::v1::SendError ToSendError(const absl::Status& status) {
  push::v1::SendError error;
  error.set_code(static_cast<int>(status.code()));
  error.set_message(std::string(status.message()));
  error.set_reason(ErrorReason(status));
  error.set_field(ErrorField(status).value_or(""));
  if (const std::optional<absl::Duration> retry_after = RetryAfter(status)) {
    SetSecondsAndNanos(*retry_after, error.mutable_retry_after());
  }
  if (const std::optional<std::string> text = ErrorMetadata(status, "unregistered_at")) {
    absl::Time unregistered_at;
    std::string parse_error;
    if (absl::ParseTime(absl::RFC3339_full, *text, &unregistered_at, &parse_error)) {
      SetSecondsAndNanos(unregistered_at - absl::UnixEpoch(), error.mutable_unregistered_at());
    }
  }
  return error;
}

push::v1::SendResult ToSendResult(absl::StatusOr<push::v1::SendResponse> response) {
  push::v1::SendResult result;
  if (response.ok()) {
    *result.mutable_response() = *std::move(response);
  } else {
    *result.mutable_error() = ToSendError(response.status());
  }
  return result;
}

}  // namespace bellwire::gateway
