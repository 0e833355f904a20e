// What a DeviceTransaction takes away without a trace.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {
namespace {

// Of a registration that has more topics, what one transaction takes away.
constexpr size_t kMaxErasedTopics = 64;

}  // namespace

using storage::v1::Device;
using storage::v1::NowOrNever;
using storage::v1::Pending;
using storage::v1::Registration;

absl::StatusOr<bool> DeviceTransaction::EraseRegistration(uint64_t registration_id,
                                                          size_t max_lives) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(registration_id));
  if (found == nullptr) return true;
  BELLWIRE_RETURN_IF_ERROR(EraseNowOrNever(registration_id));
  // What may be much goes first, and the rest fits together after each transaction: a message that
  // has come to its device has a life and nothing else.
  BELLWIRE_ASSIGN_OR_RETURN(const bool only_few_lives,
                            EraseLives(registration_id, /*settled_only=*/true, max_lives));
  if (!only_few_lives) return false;
  BELLWIRE_ASSIGN_OR_RETURN(const bool no_topics, EraseTopics(registration_id));
  if (!no_topics) return false;
  EraseWaiting(registration_id);
  BELLWIRE_RETURN_IF_ERROR(EraseRecalls(registration_id));
  // Of messages that waited, or were to be taken back: as many as have a place, at most.
  BELLWIRE_RETURN_IF_ERROR(
      EraseLives(registration_id, /*settled_only=*/false, SIZE_MAX).status());
  BELLWIRE_ASSIGN_OR_RETURN(found, FindRegistration(registration_id));
  const Registration registration = *found;
  Device& device = mutable_device();
  if (registration.removed_at_ms() == 0) {
    BELLWIRE_ASSIGN_OR_RETURN(const uint64_t living,
                              FindApp(registration.app_id(), registration.owner()));
    if (living == registration_id) DeleteApp(registration.app_id(), registration.owner());
    device.set_live_registrations(device.live_registrations() - 1);
    device.set_registrations_xor(device.registrations_xor() ^ registration_id);
  } else {
    DeleteTimeline({.time_ms = ForgetAtMs(registration),
                    .kind = TimelineEntry::Kind::kRegistration,
                    .message = {.registration_id = registration_id}});
  }
  DeleteRegistration(registration_id);
  device.set_registrations(device.registrations() - 1);
  return true;
}

void DeviceTransaction::EraseWaiting(uint64_t registration_id) {
  Registration* const registration = MutableRegistration(registration_id);
  for (const Pending& pending : registration->pending()) {
    if (pending.seq() != 0) {
      RemoveMail(pending.seq());
    } else if (const auto message_id = MessageId::FromBytes(pending.message_id())) {
      overlay_.Delete(Family::kDevices, ScheduledKey(id_, pending.deliver_at_ms(),
                                                     {*message_id, registration_id}));
    }
  }
  registration->clear_pending();
  if (registration->gap_seq() != 0) {
    RemoveMail(registration->gap_seq());
    registration->clear_gap_seq();
    registration->clear_gap_untold();
  }
}

absl::Status DeviceTransaction::EraseNowOrNever(uint64_t registration_id) {
  if (device_.now_or_never_records() == 0) return absl::OkStatus();
  std::vector<std::pair<uint64_t, MessageRef>> records;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_.Scan(Family::kDevices, NowOrNeverKey(id_, 0), NowOrNeverEnd(id_),
                    [&](absl::string_view key, absl::string_view value) {
                      const auto record = ParseRecord<NowOrNever>(value);
                      status = record.status();
                      if (!record.ok()) return false;
                      const auto message_id = MessageId::FromBytes(record->message_id());
                      if (record->registration_id() == registration_id && message_id.has_value()) {
                        records.push_back(
                            {SeqOfNowOrNeverKey(key), {*message_id, registration_id}});
                      }
                      return true;
                    }));
  BELLWIRE_RETURN_IF_ERROR(status);
  for (const auto& [seq, message] : records) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::optional<MessageLife> life, ReadLife(message));
    EraseNumber(seq, life.value_or(MessageLife()));
    if (life.has_value()) DeleteLife(message, *life);
  }
  return absl::OkStatus();
}

void DeviceTransaction::EraseNumber(uint64_t seq, const MessageLife& life) {
  // Its timeline entry is at one of two times (append.cc, wake.cc).
  for (const storage::v1::StoredReceipt& receipt : life.receipts()) {
    if (receipt.step() != push::v1::STORED) continue;
    for (const absl::Duration later : {kNowOrNeverWait + kResolveGrace, kIdempotencyWindow}) {
      DeleteTimeline({.time_ms = receipt.time_ms() + absl::ToInt64Milliseconds(later),
                      .kind = TimelineEntry::Kind::kNowOrNever,
                      .seq = seq});
    }
  }
  DeleteNowOrNever(seq);
}

absl::Status DeviceTransaction::EraseRecalls(uint64_t registration_id) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<Recalled> recalls, RecallNotices());
  for (const Recalled& recalled : recalls) {
    if (recalled.message.registration_id != registration_id) continue;
    overlay_.Delete(Family::kDevices, RecallKey(id_, recalled.message));
    Device& device = mutable_device();
    device.set_recall_notices(device.recall_notices() - 1);
    settled_may_grow_ = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DeviceTransaction::EraseLives(uint64_t registration_id, bool settled_only,
                                                   size_t max_lives) {
  std::vector<std::pair<MessageRef, MessageLife>> lives;
  bool more = false;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_.Scan(Family::kLives, LivesFrom(id_), LivesEnd(id_),
                    [&](absl::string_view key, absl::string_view value) {
                      const MessageRef ref = MessageOfLifeKey(key);
                      if (ref.registration_id != registration_id) return true;
                      auto life = ParseRecord<MessageLife>(value);
                      status = life.status();
                      if (!life.ok()) return false;
                      const bool is_settled = life->place() == MessageLife::DEVICE ||
                                              life->place() == MessageLife::ENDED;
                      if (settled_only && !is_settled) return true;
                      more = lives.size() == max_lives;
                      if (!more) lives.emplace_back(ref, *std::move(life));
                      return !more;
                    }));
  BELLWIRE_RETURN_IF_ERROR(status);
  for (const auto& [message, life] : lives) DeleteLife(message, life);
  return !more;
}

absl::StatusOr<bool> DeviceTransaction::EraseTopics(uint64_t registration_id) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(registration_id));
  const std::string team_id = found->team_id();
  std::vector<std::string> topics;
  bool more = false;
  BELLWIRE_RETURN_IF_ERROR(ScanTopics(
      registration_id, [&](absl::string_view topic, const storage::v1::TopicSubscription&) {
        more = topics.size() == kMaxErasedTopics;
        if (!more) topics.emplace_back(topic);
        return !more;
      }));
  for (const std::string& topic : topics) {
    BELLWIRE_RETURN_IF_ERROR(RemoveTopic(registration_id, team_id, topic));
  }
  return !more;
}

}  // namespace bellwire::registry
