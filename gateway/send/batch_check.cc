#include "gateway/send/batch_check.h"

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace bellwire::gateway {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint32_t kMessageTag = WireFormatLite::MakeTag(
    push::v1::SendBatchRequest::kRequestsFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);

absl::Status Bad(absl::string_view reason, absl::string_view message) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, reason, message), "requests");
}

absl::Status TooManyFields() {
  return Bad("TOO_MANY_FIELDS", absl::StrCat("A message of the batch has more than ",
                                             kMaxFieldsPerMessage, " fields. Nothing was sent."));
}

// The fields of one message, to the limit that was pushed.
absl::Status CheckMessage(CodedInputStream& in) {
  size_t fields = 0;
  while (const uint32_t tag = in.ReadTag()) {
    if (++fields > kMaxFieldsPerMessage) return TooManyFields();
    if (!WireFormatLite::SkipField(&in, tag)) return MalformedBatch();
  }
  return in.BytesUntilLimit() == 0 ? absl::OkStatus() : MalformedBatch();
}

}  // namespace

absl::Status MalformedBatch() {
  return Bad("MALFORMED_REQUEST", "The request is not a SendBatchRequest. Nothing was sent.");
}

absl::Status CheckBatch(google::protobuf::io::ZeroCopyInputStream* batch) {
  CodedInputStream in(batch);
  size_t messages = 0;
  size_t other_fields = 0;
  while (const uint32_t tag = in.ReadTag()) {
    if (tag != kMessageTag) {
      if (++other_fields > kMaxFieldsPerMessage) return TooManyFields();
      if (!WireFormatLite::SkipField(&in, tag)) return MalformedBatch();
      continue;
    }
    uint32_t size = 0;
    if (!in.ReadVarint32(&size) || size > std::numeric_limits<int>::max()) return MalformedBatch();
    // Counted to the end, for the answer.
    if (++messages > kMaxBatchMessages) {
      if (!in.Skip(static_cast<int>(size))) return MalformedBatch();
      continue;
    }
    const CodedInputStream::Limit outer = in.PushLimit(static_cast<int>(size));
    if (absl::Status status = CheckMessage(in); !status.ok()) return status;
    in.PopLimit(outer);
  }
  if (!in.ConsumedEntireMessage()) return MalformedBatch();
  if (messages == 0) return Bad("BATCH_EMPTY", "The batch has no messages.");
  if (messages > kMaxBatchMessages) {
    return Bad("BATCH_TOO_LARGE",
               absl::StrCat("The batch has ", messages, " messages; at most ", kMaxBatchMessages,
                            " are allowed. Nothing was sent."));
  }
  return absl::OkStatus();
}

}  // namespace bellwire::gateway
