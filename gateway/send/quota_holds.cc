#include "gateway/send/quota_holds.h"

#include <algorithm>

#include "common/error.h"

namespace bellwire::gateway {

void QuotaHolds::Note(absl::string_view team_id, const absl::Status& answer) {
  if (!absl::IsResourceExhausted(answer) || ErrorReason(answer) != "QUOTA_EXCEEDED" ||
      ErrorMetadata(answer, "quota_of") != "team") {
    return;
  }
  const std::optional<std::string> quota = ErrorMetadata(answer, "quota");
  const std::optional<absl::Duration> retry_after = RetryAfter(answer);
  if ((quota != "messages_per_second" && quota != "messages_per_day") || !retry_after.has_value()) {
    return;
  }
  const MonotonicTime now = clock_->Monotonic();
  absl::MutexLock lock(&mu_);
  holds_.Put(std::string(team_id), {answer, now + *retry_after},
             now + std::min(*retry_after, kMaxQuotaHold));
}

std::optional<absl::Status> QuotaHolds::Find(absl::string_view team_id) {
  absl::MutexLock lock(&mu_);
  // The usual case, in which no clock is read.
  if (!holds_.Contains(team_id)) return std::nullopt;
  const MonotonicTime now = clock_->Monotonic();
  const Hold* const hold = holds_.Find(team_id, now);
  if (hold == nullptr) return std::nullopt;
  return WithRetryAfter(hold->status, hold->retry_at - now);
}

}  // namespace bellwire::gateway
