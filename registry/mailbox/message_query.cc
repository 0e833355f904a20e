#include "registry/mailbox/message_query.h"

#include <optional>

#include "common/error.h"
#include "common/status_macros.h"
#include "common/trace_context.h"
#include "google/protobuf/util/time_util.h"
#include "registry/engine/store_error.h"
#include "registry/mailbox/token.h"

namespace bellwire::registry {

using google::protobuf::util::TimeUtil;
using push::v1::GetMessageResponse;

namespace {

// Whether the app doesn't get it any more, though the device has it. How it ended the device knows,
// and says when its radio is up: the app may have had it in time, so it isn't EXPIRED yet. A
// ttl-zero message has no time that ends: the app gets it on arrival.
bool IsOverOnTheDevice(const MessageLife& life, int64_t now_ms) {
  return life.expires_at_ms() != 0 && life.expires_at_ms() != life.accepted_at_ms() &&
         life.expires_at_ms() <= now_ms;
}

absl::StatusOr<GetMessageResponse::WaitsFor> WhatItWaitsFor(DeviceTransaction& tx,
                                                            const MessageLife& life) {
  switch (life.place()) {
    case MessageLife::SCHEDULED:
      return GetMessageResponse::DELIVER_AT;
    case MessageLife::MAILBOX:
      break;
    case MessageLife::NOW_OR_NEVER:
    case MessageLife::RECALLING:
      return GetMessageResponse::DEVICE;
    case MessageLife::DEVICE:
      if (!IsOverOnTheDevice(life, tx.now_ms())) return GetMessageResponse::APP;
      return tx.connected() ? GetMessageResponse::DEVICE : GetMessageResponse::CONNECTION;
    default:
      return GetMessageResponse::WAITS_FOR_UNSPECIFIED;
  }
  if (!tx.connected()) return GetMessageResponse::CONNECTION;
  if (StateOf(life) == push::v1::SENT) return GetMessageResponse::DEVICE;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<internal::v1::Envelope> mail,
                            tx.FindMail(life.seq()));
  const bool at_once = mail.has_value() && mail->priority() == push::v1::PRIORITY_HIGH;
  return at_once ? GetMessageResponse::DEVICE : GetMessageResponse::PRIORITY;
}

}  // namespace

absl::StatusOr<GetMessageResponse> GetMessage(DeviceTransaction& tx, const TokenRef& token,
                                              const MessageId& message) {
  BELLWIRE_ASSIGN_OR_RETURN(const storage::v1::Registration* registration, FindToken(tx, token));
  if (registration->has_subscription() && !registration->subscription().receipts()) {
    return MakeError(absl::StatusCode::kPermissionDenied, "RECEIPTS_OFF",
                     "the subscription does not tell what became of its messages");
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<MessageLife> life,
                            tx.FindLife({message, token.registration_id}));
  if (!life.has_value()) return MessageNotFoundError();
  GetMessageResponse response;
  response.set_message_id(FormatUuid(message));
  response.set_app_id(registration->app_id());
  response.set_state(StateOf(*life));
  response.set_terminal(life->place() == MessageLife::ENDED);
  for (const storage::v1::StoredReceipt& stored : life->receipts()) {
    push::v1::Receipt* receipt = response.add_receipts();
    receipt->set_step(stored.step());
    *receipt->mutable_time() = TimeUtil::MillisecondsToTimestamp(stored.time_ms());
    receipt->set_detail(stored.detail());
  }
  *response.mutable_expires_at() = TimeUtil::MillisecondsToTimestamp(life->expires_at_ms());
  if (life->deliver_at_ms() != 0) {
    *response.mutable_deliver_at() = TimeUtil::MillisecondsToTimestamp(life->deliver_at_ms());
  }
  response.set_priority(life->priority());
  response.set_device_connected(tx.connected());
  BELLWIRE_ASSIGN_OR_RETURN(const GetMessageResponse::WaitsFor waits_for,
                            WhatItWaitsFor(tx, *life));
  response.set_waits_for(waits_for);
  response.set_traceparent(FormatTraceparent(life->trace_context()));
  return response;
}

}  // namespace bellwire::registry
