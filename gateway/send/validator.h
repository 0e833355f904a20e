#ifndef BELLWIRE_GATEWAY_SEND_VALIDATOR_H_
#define BELLWIRE_GATEWAY_SEND_VALIDATOR_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/ids.h"
#include "crypto/token_sealer.h"

// What of a provider's request can be judged without storage. Errors are INVALID_ARGUMENT with the
// reason that push.proto names and the field that is wrong. Pure functions.
namespace bellwire::gateway {

// The fields of a SendRequest as the rest of Bellwire wants them.
struct ValidatedSend {
  // Unset: the caller gave none.
  std::optional<MessageId> message_id;
  push::v1::Priority priority = push::v1::PRIORITY_NORMAL;
  // Milliseconds since the Unix epoch, as in bellwire.internal.v1.Envelope.
  int64_t accepted_at_ms = 0;
  int64_t expires_at_ms = 0;
  // As the caller gave it, though it may have passed. 0: it gave none.
  int64_t deliver_at_ms = 0;
  // ttl zero: now or never.
  bool now_or_never = false;
  // The trace that it belongs to, kTraceContextBytes long. Empty: none.
  std::string trace_context;
};

// Everything but the token. A ttl below a millisecond that is not zero counts as one.
absl::StatusOr<ValidatedSend> ValidateSend(const push::v1::SendRequest& request, absl::Time now);

// BAD_DEVICE_TOKEN for all but what `sealer` sealed; says whether its form is wrong already.
absl::StatusOr<TokenContents> OpenToken(absl::string_view token, const TokenSealer& sealer);

// BAD_MESSAGE_ID for all but a UUID of 36 characters that is not all zero.
absl::StatusOr<MessageId> ValidateMessageId(absl::string_view text);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_VALIDATOR_H_
