#include "registry/mailbox/wake.h"

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"
#include "registry/topics/subscriptions.h"

namespace bellwire::registry {
namespace {

using storage::v1::NowOrNever;
using storage::v1::Registration;

// The end of a message that the agent has and did not report on for so long.
absl::Status EndUnreported(DeviceTransaction& tx, const MessageRef& ref, MessageLife* life) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                            tx.FindRegistration(ref.registration_id));
  if (registration == nullptr || registration->removed_at_ms() != 0) {
    return tx.Record(ref, life, push::v1::UNREGISTERED,
                     "the app was removed; the device did not say what became of the message");
  }
  return tx.Record(ref, life, push::v1::EXPIRED,
                   "the device did not say what became of the message");
}

absl::Status WakeLife(DeviceTransaction& tx, const TimelineEntry& entry) {
  const MessageRef& ref = entry.message;
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<MessageLife> life, tx.FindLife(ref));
  if (!life.has_value() || life->wake_at_ms() != entry.time_ms) return absl::OkStatus();
  life->clear_wake_at_ms();
  if (NextWakeMs(*life, tx.retention()) > tx.now_ms()) {
    tx.PutLife(ref, &*life);
    return absl::OkStatus();
  }
  switch (life->place()) {
    case MessageLife::RECALLING:
      // Not RECALLED: it may have come, and the app may have it.
      return tx.Record(ref, &*life, push::v1::EXPIRED,
                       "it was taken back; the device did not say what became of the message");
    case MessageLife::DEVICE:
      return EndUnreported(tx, ref, &*life);
    case MessageLife::ENDED:
      tx.DeleteLife(ref, *life);
      return absl::OkStatus();
    default:
      return StoreCorruptError("a life that waits for nothing");
  }
}

absl::Status WakePending(DeviceTransaction& tx, const TimelineEntry& entry) {
  const uint64_t registration_id = entry.message.registration_id;
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration, tx.FindRegistration(registration_id));
  if (registration == nullptr || registration->wake_at_ms() != entry.time_ms) {
    return absl::OkStatus();
  }
  tx.MutableRegistration(registration_id)->clear_wake_at_ms();
  BELLWIRE_ASSIGN_OR_RETURN(const int64_t next_ms, tx.EndExpired(registration_id));
  if (next_ms != INT64_MAX) tx.WakeBy(registration_id, next_ms);
  return absl::OkStatus();
}

// When the message was stored, by this clock.
int64_t StoredMs(const MessageLife& life) {
  for (const storage::v1::StoredReceipt& receipt : life.receipts()) {
    if (receipt.step() == push::v1::STORED) return receipt.time_ms();
  }
  return 0;
}

absl::Status WakeNowOrNever(DeviceTransaction& tx, uint64_t seq) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<NowOrNever> record, tx.FindNowOrNever(seq));
  if (!record.has_value()) return absl::OkStatus();
  const std::optional<MessageId> message_id = MessageId::FromBytes(record->message_id());
  if (!message_id.has_value()) return StoreCorruptError("a now-or-never message without id");
  const MessageRef ref{*message_id, record->registration_id()};
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<MessageLife> life, tx.FindLife(ref));
  if (life.has_value() && life->place() == MessageLife::NOW_OR_NEVER) {
    // Its gateway is gone, or was told DELIVERED by a connector that is: the device, if it has the
    // message, will say so with its next session. Until then nobody knows.
    const int64_t until_ms = StoredMs(*life) + absl::ToInt64Milliseconds(kIdempotencyWindow);
    if (tx.now_ms() < until_ms) {
      tx.PutTimeline({.time_ms = until_ms, .kind = TimelineEntry::Kind::kNowOrNever, .seq = seq});
      return absl::OkStatus();
    }
    BELLWIRE_RETURN_IF_ERROR(tx.Record(ref, &*life, push::v1::NOT_CONNECTED,
                                       "the device did not say that it has it, and the gateway "
                                       "that sent it did not stay to see its end"));
  }
  tx.DeleteNowOrNever(seq);
  return absl::OkStatus();
}

absl::Status ForgetRegistration(DeviceTransaction& tx, uint64_t registration_id) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration, tx.FindRegistration(registration_id));
  if (registration == nullptr || registration->removed_at_ms() == 0) return absl::OkStatus();
  tx.DeleteRegistration(registration_id);
  storage::v1::Device& device = tx.mutable_device();
  device.set_registrations(device.registrations() - 1);
  return absl::OkStatus();
}

}  // namespace

absl::Status Wake(DeviceTransaction& tx, const TimelineEntry& entry) {
  tx.DeleteTimeline(entry);
  switch (entry.kind) {
    case TimelineEntry::Kind::kLife:
      return WakeLife(tx, entry);
    case TimelineEntry::Kind::kExpiry:
      return WakePending(tx, entry);
    case TimelineEntry::Kind::kNowOrNever:
      return WakeNowOrNever(tx, entry.seq);
    case TimelineEntry::Kind::kRegistration:
      return ForgetRegistration(tx, entry.message.registration_id);
    case TimelineEntry::Kind::kScheduled: {
      BELLWIRE_RETURN_IF_ERROR(tx.ReleaseDue());
      // More than one transaction's worth: go on in another.
      const int64_t next = tx.device().next_due_at_ms();
      if (next != 0 && next <= tx.now_ms()) {
        tx.PutTimeline({.time_ms = next, .kind = TimelineEntry::Kind::kScheduled});
      }
      return absl::OkStatus();
    }
    case TimelineEntry::Kind::kTopics:
      return EndTopics(tx, entry.message.registration_id, entry.team_id);
    case TimelineEntry::Kind::kFeed:
    case TimelineEntry::Kind::kTopicMessage:
      // A team's, not a device's.
      break;
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
