#include "registry/mailbox/acknowledge.h"

#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

using storage::v1::NowOrNever;

absl::StatusOr<MessageRef> RefFrom(absl::string_view message_id, uint64_t registration_id) {
  const std::optional<MessageId> id = MessageId::FromBytes(message_id);
  if (!id.has_value()) return StoreCorruptError("a message id");
  return MessageRef{*id, registration_id};
}

// What a number of the mailbox's order stands for now.
struct Numbered {
  // A message, and its life. Unset: it is settled.
  std::optional<MessageRef> message;
  MessageLife life;
  // A gap notice of this registration.
  uint64_t gap_registration_id = 0;
};

absl::StatusOr<Numbered> FindNumber(DeviceTransaction& tx, uint64_t seq) {
  Numbered found;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<Envelope> mail, tx.FindMail(seq));
  if (mail.has_value()) {
    if (mail->gap_dropped() != 0) {
      found.gap_registration_id = mail->registration_id();
      return found;
    }
    BELLWIRE_ASSIGN_OR_RETURN(found.message, RefFrom(mail->message_id(), mail->registration_id()));
    BELLWIRE_ASSIGN_OR_RETURN(found.life, tx.LifeOf(*mail));
    return found;
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<NowOrNever> direct, tx.FindNowOrNever(seq));
  if (direct.has_value()) {
    BELLWIRE_ASSIGN_OR_RETURN(found.message,
                              RefFrom(direct->message_id(), direct->registration_id()));
    BELLWIRE_ASSIGN_OR_RETURN(found.life, tx.GetLife(*found.message));
  }
  return found;
}

// Whether the device may still get the message, or have got it and not said so.
bool AwaitsAck(const MessageLife& life) {
  return life.place() == MessageLife::MAILBOX || life.place() == MessageLife::NOW_OR_NEVER ||
         life.place() == MessageLife::RECALLING;
}

// Whether an app's word on a message that was not acknowledged counts. A message of the mailbox is
// acknowledged before the app's word comes, unless an earlier session sent it and the
// acknowledgement was lost with that. One that no earlier session was handed may still wait for its
// turn, and must not end before the device has it. What left the mailbox is not sent again: the
// app's word may be all that ever comes.
bool MayBeKnownToTheApp(const DeviceTransaction& tx, const MessageLife& life) {
  return AwaitsAck(life) &&
         (life.place() != MessageLife::MAILBOX || life.seq() <= tx.device().sent_up_to_seq());
}

// The message is on the device's disk.
absl::Status RecordAgentAck(DeviceTransaction& tx, const MessageRef& ref, MessageLife* life,
                            absl::string_view detail) {
  if (HoldsPlace(*life)) BELLWIRE_RETURN_IF_ERROR(tx.LeavePlace(ref, *life));
  tx.NoteAcknowledged(life->seq());
  life->set_place(MessageLife::DEVICE);
  return tx.Record(ref, life, push::v1::AGENT_ACKED, detail);
}

}  // namespace

absl::Status Acknowledge(DeviceTransaction& tx, const std::vector<AckItem>& items) {
  for (const AckItem& item : items) {
    BELLWIRE_ASSIGN_OR_RETURN(Numbered found, FindNumber(tx, item.seq));
    if (found.gap_registration_id != 0) {
      BELLWIRE_RETURN_IF_ERROR(tx.AcknowledgeGap(found.gap_registration_id, item.seq));
      continue;
    }
    if (!found.message.has_value() || !AwaitsAck(found.life)) continue;
    BELLWIRE_RETURN_IF_ERROR(
        tx.Note(*found.message, &found.life, push::v1::SENT, ToStoredMs(item.sent_at)));
    BELLWIRE_RETURN_IF_ERROR(RecordAgentAck(tx, *found.message, &found.life, ""));
  }
  return absl::OkStatus();
}

absl::Status ReportSent(DeviceTransaction& tx, const std::vector<AckItem>& items) {
  for (const AckItem& item : items) {
    BELLWIRE_ASSIGN_OR_RETURN(Numbered found, FindNumber(tx, item.seq));
    if (!found.message.has_value() || !AwaitsAck(found.life)) continue;
    BELLWIRE_RETURN_IF_ERROR(
        tx.Record(*found.message, &found.life, push::v1::SENT, "", ToStoredMs(item.sent_at)));
  }
  return absl::OkStatus();
}

absl::Status AppAcknowledge(DeviceTransaction& tx, const std::vector<AppAckItem>& items) {
  for (const AppAckItem& item : items) {
    std::vector<uint64_t> registrations = {item.registration_id};
    if (item.registration_id == 0) {
      BELLWIRE_ASSIGN_OR_RETURN(registrations, tx.FindLivesOf(item.message_id));
    }
    for (const uint64_t registration_id : registrations) {
      const MessageRef ref{item.message_id, registration_id};
      BELLWIRE_ASSIGN_OR_RETURN(std::optional<MessageLife> life, tx.FindLife(ref));
      if (!life.has_value()) continue;
      // And it must be clear which message is meant.
      const bool unacknowledged = item.registration_id != 0 && MayBeKnownToTheApp(tx, *life);
      if (life->place() != MessageLife::DEVICE && !unacknowledged) continue;
      // A message under recall that the agent refused to take was never on its disk.
      if (unacknowledged && item.step != push::v1::RECALLED) {
        BELLWIRE_RETURN_IF_ERROR(RecordAgentAck(tx, ref, &*life, "said together with its end"));
      }
      BELLWIRE_RETURN_IF_ERROR(tx.Record(ref, &*life, item.step, ""));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Step> Resolve(DeviceTransaction& tx, uint64_t seq) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<NowOrNever> direct, tx.FindNowOrNever(seq));
  if (!direct.has_value()) return MessageNotFoundError();
  BELLWIRE_ASSIGN_OR_RETURN(const MessageRef ref,
                            RefFrom(direct->message_id(), direct->registration_id()));
  BELLWIRE_ASSIGN_OR_RETURN(MessageLife life, tx.GetLife(ref));
  if (life.place() == MessageLife::NOW_OR_NEVER) {
    BELLWIRE_RETURN_IF_ERROR(tx.Record(ref, &life, push::v1::NOT_CONNECTED,
                                       tx.connected() ? "the device did not acknowledge it in time"
                                                      : "the device has no session"));
  }
  return StateOf(life);
}

}  // namespace bellwire::registry
