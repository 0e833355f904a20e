#include "registry/mailbox/recall.h"

#include <optional>

#include "common/status_macros.h"
#include "registry/engine/store_error.h"
#include "registry/mailbox/token.h"

namespace bellwire::registry {

using push::v1::RecallResponse;

absl::StatusOr<RecallResult> Recall(DeviceTransaction& tx, const TokenRef& token,
                                    const MessageId& message) {
  BELLWIRE_RETURN_IF_ERROR(FindToken(tx, token).status());
  const MessageRef ref{message, token.registration_id};
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<MessageLife> life, tx.FindLife(ref));
  if (!life.has_value()) return MessageNotFoundError();
  switch (life->place()) {
    case MessageLife::ENDED:
      return RecallResult{.outcome = RecallResponse::TOO_LATE};
    case MessageLife::SCHEDULED:
      BELLWIRE_RETURN_IF_ERROR(tx.Record(ref, &*life, push::v1::RECALLED, "before it was due"));
      return RecallResult{.outcome = RecallResponse::RECALLED};
    case MessageLife::MAILBOX:
      // SENT is reported late or not at all: only what came when there was no session any more
      // surely never reached the device.
      if (!tx.connected() && life->seq() > tx.device().sent_up_to_seq() &&
          StateOf(*life) != push::v1::SENT) {
        BELLWIRE_RETURN_IF_ERROR(tx.Record(ref, &*life, push::v1::RECALLED, ""));
        return RecallResult{.outcome = RecallResponse::RECALLED};
      }
      // It must not be sent after the agent was told to drop it.
      BELLWIRE_RETURN_IF_ERROR(tx.LeavePlace(ref, *life));
      life->set_place(MessageLife::RECALLING);
      break;
    default:
      break;
  }
  // The session of now is told at once; the notice is for the ones to come, if it doesn't hear of
  // it or can't answer any more.
  BELLWIRE_RETURN_IF_ERROR(tx.AddRecallNotice(ref, &*life));
  tx.PutLife(ref, &*life);
  return RecallResult{
      .outcome = RecallResponse::REQUESTED, .route = tx.route(), .seq = life->seq()};
}

}  // namespace bellwire::registry
