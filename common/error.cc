#include "common/error.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace bellwire {
namespace {

constexpr absl::string_view kReason = "bellwire/reason";
constexpr absl::string_view kRetryAfterNs = "bellwire/retry_after_ns";
constexpr absl::string_view kField = "bellwire/field";
constexpr absl::string_view kMetadataPrefix = "bellwire/metadata/";

std::optional<std::string> Get(const absl::Status& status, absl::string_view url) {
  const auto payload = status.GetPayload(url);
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message) {
  absl::Status status(code, message);
  status.SetPayload(kReason, absl::Cord(reason));
  return status;
}

std::string ErrorReason(const absl::Status& status) { return Get(status, kReason).value_or(""); }

absl::Status WithRetryAfter(absl::Status status, absl::Duration retry_after) {
  status.SetPayload(kRetryAfterNs, absl::Cord(absl::StrCat(absl::ToInt64Nanoseconds(retry_after))));
  return status;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto text = Get(status, kRetryAfterNs);
  int64_t ns;
  if (!text.has_value() || !absl::SimpleAtoi(*text, &ns)) return std::nullopt;
  return absl::Nanoseconds(ns);
}

absl::Status WithField(absl::Status status, absl::string_view field) {
  status.SetPayload(kField, absl::Cord(field));
  return status;
}

std::optional<std::string> ErrorField(const absl::Status& status) { return Get(status, kField); }

absl::Status InvalidField(absl::string_view reason, absl::string_view field,
                          absl::string_view message) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, reason, message), field);
}

absl::Status WithMetadata(absl::Status status, absl::string_view key, absl::string_view value) {
  status.SetPayload(absl::StrCat(kMetadataPrefix, key), absl::Cord(value));
  return status;
}

std::optional<std::string> ErrorMetadata(const absl::Status& status, absl::string_view key) {
  return Get(status, absl::StrCat(kMetadataPrefix, key));
}

std::vector<std::pair<std::string, std::string>> AllErrorMetadata(const absl::Status& status) {
  std::vector<std::pair<std::string, std::string>> all;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& value) {
    if (absl::ConsumePrefix(&url, kMetadataPrefix)) all.emplace_back(url, std::string(value));
  });
  return all;
}

}  // namespace bellwire
