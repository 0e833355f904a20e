#include "rpc/grpc_status.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "google/rpc/error_details.pb.h"

namespace bellwire {
namespace {

constexpr char kDomain[] = "bellwire";
// Trailers share 8 KiB, beyond which many a client drops the whole answer. The message is sent
// three times: percent-encoded (up to 3:1), and twice in the details (base64, 4:3).
constexpr size_t kMaxMessageBytes = 1024;
constexpr size_t kMaxMetadataBytes = 1024;

// The length of the UTF-8 character that `s` begins with, or 0 if it doesn't begin with one.
size_t Utf8Length(absl::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || s.size() < length) return 0;
  uint32_t code = first & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = code < (length == 3 ? 0x800u : length == 4 ? 0x10000u : 0x80u);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return overlong || surrogate || code > 0x10ffff ? 0 : length;
}

// `text` as a proto3 string may hold it: what is no UTF-8 becomes '?', and no character is cut.
std::string SafeText(absl::string_view text, size_t max_bytes) {
  std::string safe;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (safe.size() + (length == 0 ? 1 : length) > max_bytes) break;
    if (length == 0) {
      safe.push_back('?');
      text.remove_prefix(1);
    } else {
      safe.append(text.data(), length);
      text.remove_prefix(length);
    }
  }
  return safe;
}

google::rpc::ErrorInfo MakeErrorInfo(const absl::Status& status, absl::string_view reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(kDomain);
  size_t bytes = 0;
  for (const auto& [key, value] : AllErrorMetadata(status)) {
    bytes += key.size() + value.size();
    if (bytes > kMaxMetadataBytes) break;
    (*info.mutable_metadata())[SafeText(key, key.size())] = SafeText(value, value.size());
  }
  return info;
}

google::rpc::RetryInfo MakeRetryInfo(absl::Duration retry_after) {
  google::rpc::RetryInfo info;
  absl::Duration rest;
  info.mutable_retry_delay()->set_seconds(absl::IDivDuration(retry_after, absl::Seconds(1), &rest));
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return info;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = SafeText(status.message(), kMaxMessageBytes);

  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  if (const std::string reason = ErrorReason(status); !reason.empty()) {
    details.add_details()->PackFrom(MakeErrorInfo(status, reason));
  }
  if (const auto retry_after = RetryAfter(status)) {
    details.add_details()->PackFrom(MakeRetryInfo(*retry_after));
  }
  if (const auto field = ErrorField(status)) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(SafeText(*field, field->size()));
    violation->set_description(message);
    details.add_details()->PackFrom(bad_request);
  }
  if (details.details().empty()) return grpc::Status(code, message);
  return grpc::Status(code, message, details.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& grpc_status) {
  if (grpc_status.ok()) return absl::OkStatus();
  absl::Status status(static_cast<absl::StatusCode>(grpc_status.error_code()),
                      grpc_status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(grpc_status.error_details())) return status;
  // The reason first, because it makes the status; the rest is added to that.
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (!any.UnpackTo(&info) || info.domain() != kDomain) continue;
    status = MakeError(status.code(), info.reason(), grpc_status.error_message());
    for (const auto& [key, value] : info.metadata()) {
      status = WithMetadata(std::move(status), key, value);
    }
  }
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::RetryInfo retry_info;
    google::rpc::BadRequest bad_request;
    if (any.UnpackTo(&retry_info)) {
      status = WithRetryAfter(std::move(status),
                              absl::Seconds(retry_info.retry_delay().seconds()) +
                                  absl::Nanoseconds(retry_info.retry_delay().nanos()));
    } else if (any.UnpackTo(&bad_request) && bad_request.field_violations_size() > 0) {
      status = WithField(std::move(status), bad_request.field_violations(0).field());
    }
  }
  return status;
}

}  // namespace bellwire
