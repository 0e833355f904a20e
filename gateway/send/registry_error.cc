#include "gateway/send/registry_error.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"

namespace bellwire::gateway {
namespace {

absl::Status WithDefaultRetryAfter(absl::Status status) {
  if (RetryAfter(status).has_value()) return status;
  return WithRetryAfter(std::move(status), kOverloadedRetryAfter);
}

absl::Status RegistryUnavailable(const absl::Status& status) {
  // The caller can't tell whether it happened, and need not: repeating it is harmless.
  return WithRetryAfter(
      MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                absl::StrCat("The registry does not answer now (", status.message(),
                             "). Retry with the same message id.")),
      RetryAfter(status).value_or(kOverloadedRetryAfter));
}

}  // namespace

absl::Status FromRegistryError(absl::Status status) {
  const std::string reason = ErrorReason(status);
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
      if (reason == "REGISTRY_UNAVAILABLE") return WithDefaultRetryAfter(std::move(status));
      return RegistryUnavailable(status);
    case absl::StatusCode::kResourceExhausted:
      if (reason.empty()) return Overloaded("the registry");
      return WithDefaultRetryAfter(std::move(status));
    default:
      if (!reason.empty()) return status;
      // A bug, or a registry of another version: the operator must hear of it, and its innards are
      // not the provider's business.
      LogError("registry_error_without_reason", {{"status", status.ToString()}});
      return MakeError(absl::StatusCode::kInternal, "INTERNAL",
                       "The server failed; its log says how. The message may have been accepted: "
                       "retry with the same message id.");
  }
}

absl::Status Overloaded(absl::string_view what) {
  return WithRetryAfter(MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                                  absl::StrCat("The server has more work than it can take now (",
                                               what, "). Nothing was done; come back later.")),
                        kOverloadedRetryAfter);
}

absl::Status QuotaExceeded(absl::string_view what) {
  return WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED",
                absl::StrCat("Your team has as many ", what,
                             " as it may at one time. Nothing was done; come back when some of "
                             "them have ended.")),
      kQuotaRetryAfter);
}

}  // namespace bellwire::gateway
