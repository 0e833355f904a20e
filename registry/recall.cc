#include "registry/recall.h"

#include <optional>

#include "common/status_macros.h"
#include "registry/store_error.h"
#include "registry/token.h"

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
      // SENT is reported late or not at all, so only a device without session surely hasn't it. Even
      // then an earlier session may have sent it.
      if (!tx.connected() && StateOf(*life) != push::v1::SENT) {
        BELLWIRE_RETURN_IF_ERROR(tx.Record(ref, &*life, push::v1::RECALLED, ""));
        return RecallResult{.outcome = RecallResponse::RECALLED};
      }
      // It must not be sent after the agent was told to drop it.
      BELLWIRE_RETURN_IF_ERROR(tx.LeavePlace(ref, *life));
      life->set_place(MessageLife::RECALLING);
      tx.PutLife(ref, &*life);
      break;
    default:
      break;
  }
  return RecallResult{.outcome = RecallResponse::REQUESTED, .route = tx.route()};
}

}  // namespace bellwire::registry
