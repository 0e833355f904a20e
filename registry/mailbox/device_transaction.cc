#include "registry/mailbox/device_transaction.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/mailbox/expiry.h"
#include "registry/mailbox/waiting_bytes.h"

namespace bellwire::registry {

using internal::v1::Envelope;
using internal::v1::Route;
using storage::v1::Device;
using storage::v1::NowOrNever;
using storage::v1::Pending;
using storage::v1::Registration;

namespace {

// REQUIRES: `mail` has a message id.
MessageRef RefOf(const Envelope& mail) {
  return {*MessageId::FromBytes(mail.message_id()), mail.registration_id()};
}

// What the entry of an app or a subscription leads to; 0: there is no entry.
absl::StatusOr<uint64_t> RegistrationAt(const Overlay& overlay, const std::string& key) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<std::string> value,
                            overlay.Get(Family::kDevices, key));
  if (!value.has_value()) return 0;
  if (value->size() < sizeof(uint64_t)) return StoreCorruptError("a registration's entry");
  return ParseBigEndian64(absl::string_view(*value).substr(0, sizeof(uint64_t)));
}

bool IsAbout(const Pending& pending, uint64_t seq, absl::string_view message_id) {
  return pending.seq() == seq && (seq != 0 || pending.message_id() == message_id);
}
bool IsAbout(const Pending& pending, const Envelope& mail) {
  return IsAbout(pending, mail.seq(), mail.message_id());
}
bool IsAbout(const Pending& pending, const MessageRef& message, const MessageLife& life) {
  return IsAbout(pending, life.seq(), message.message_id.bytes());
}

}  // namespace

DeviceTransaction::DeviceTransaction(Overlay* batch, const DeviceId& device, int64_t now_ms,
                                     const std::function<uint64_t()>& random,
                                     uint64_t numbers_after, const Retention& retention)
    : batch_(batch),
      overlay_(batch),
      id_(device),
      now_ms_(now_ms),
      random_(random),
      numbers_after_(numbers_after),
      retention_(retention) {}

absl::Status DeviceTransaction::Load(const Route* waiting) {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<Device> device,
                            GetRecord<Device>(overlay_, Family::kDevices, DeviceRecordKey(id_)));
  exists_ = device.has_value();
  if (!exists_) return absl::OkStatus();
  device_ = *std::move(device);
  if (device_.last_seq() < numbers_after_) {
    // No change of this transaction's either: every later one comes to the same.
    if (device_.settled_seq() == device_.last_seq()) device_.set_settled_seq(numbers_after_);
    device_.set_last_seq(numbers_after_);
  }
  if (waiting != nullptr && waiting->login_number() > device_.last_login_number()) {
    // No change of this transaction's: whoever writes the record writes it as well.
    *device_.mutable_route() = *waiting;
    device_.set_last_login_number(waiting->login_number());
    has_unwritten_route_ = true;
  }
  return absl::OkStatus();
}

absl::Status DeviceTransaction::Finish() {
  for (auto& [id, registration] : registrations_) {
    if (!registration.changed) continue;
    SettleWaitingBytes(&registration.record);
    overlay_.Put(Family::kDevices, RegistrationKey(id_, id),
                 registration.record.SerializeAsString());
  }
  if (deletes_device_) {
    overlay_.Delete(Family::kDevices, DeviceRecordKey(id_));
  } else if (device_changed_) {
    BELLWIRE_RETURN_IF_ERROR(UpdateSettled());
    overlay_.Put(Family::kDevices, DeviceRecordKey(id_), device_.SerializeAsString());
  }
  std::move(overlay_).MergeInto(batch_);
  return absl::OkStatus();
}

absl::Status DeviceTransaction::UpdateSettled() {
  uint64_t settled = device_.last_seq();
  if (device_.mailbox_records() != 0) {
    if (!settled_may_grow_) return absl::OkStatus();
    if (const std::optional<uint64_t> first = FirstLoadedMail()) {
      settled = *first - 1;
    } else {
      // Starts behind everything that was settled before, so it meets what this transaction removed
      // and nothing older: a queue read from its very beginning would wade through all that was
      // ever deleted.
      BELLWIRE_RETURN_IF_ERROR(
          ScanMail(device_.settled_seq(), [&](const Envelope& first) -> absl::StatusOr<bool> {
            settled = first.seq() - 1;
            return false;
          }));
    }
  }
  if (device_.now_or_never_records() != 0) {
    BELLWIRE_RETURN_IF_ERROR(
        overlay_.Scan(Family::kDevices, NowOrNeverKey(id_, device_.settled_seq() + 1),
                      NowOrNeverEnd(id_), [&](absl::string_view key, absl::string_view) {
                        settled = std::min(settled, SeqOfNowOrNeverKey(key) - 1);
                        return false;
                      }));
  }
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t first_recalled, FirstRecalling());
  settled = std::min(settled, first_recalled - 1);
  device_.set_settled_seq(settled);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> DeviceTransaction::FirstRecalling() {
  uint64_t first = UINT64_MAX;
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<Recalled> recalled, RecallNotices());
  for (const auto& [message, seq] : recalled) {
    if (seq <= device_.settled_seq() || seq >= first) continue;
    BELLWIRE_ASSIGN_OR_RETURN(const MessageLife life, GetLife(message));
    if (life.place() == MessageLife::RECALLING) first = seq;
  }
  return first;
}

std::optional<uint64_t> DeviceTransaction::FirstLoadedMail() const {
  uint64_t first = UINT64_MAX;
  uint32_t records = 0;
  const auto add = [&](uint64_t seq) {
    if (seq == 0) return;
    ++records;
    first = std::min(first, seq);
  };
  for (const auto& [id, registration] : registrations_) {
    for (const Pending& pending : registration.record.pending()) add(pending.seq());
    add(registration.record.gap_seq());
  }
  if (records != device_.mailbox_records() || records == 0) return std::nullopt;
  return first;
}

Device& DeviceTransaction::mutable_device() {
  if (!exists_ && !device_changed_) {
    SetNewMailboxId();
    device_.set_last_seq(numbers_after_);
    device_.set_settled_seq(numbers_after_);
  }
  device_changed_ = true;
  return device_;
}

void DeviceTransaction::SetNewMailboxId() {
  std::string mailbox_id;
  AppendBigEndian64(random_(), &mailbox_id);
  AppendBigEndian64(random_(), &mailbox_id);
  device_.set_mailbox_id(std::move(mailbox_id));
}

void DeviceTransaction::RenewMailbox() {
  Device& device = mutable_device();
  SetNewMailboxId();
  device.clear_acked_up_to_seq();
}

void DeviceTransaction::NoteAcknowledged(uint64_t seq) {
  if (seq > device_.acked_up_to_seq()) mutable_device().set_acked_up_to_seq(seq);
}

bool DeviceTransaction::has_changes() const {
  return device_changed_ || !overlay_.writes().empty() ||
         std::any_of(registrations_.begin(), registrations_.end(),
                     [](const auto& registration) { return registration.second.changed; });
}

std::optional<Route> DeviceTransaction::route() const {
  if (!device_.has_route()) return std::nullopt;
  return device_.route();
}

void DeviceTransaction::SetRoute(const Route& route) {
  Device& device = mutable_device();
  if (device.has_route()) device.set_sent_up_to_seq(device.last_seq());
  *device.mutable_route() = route;
  device.set_last_login_number(route.login_number());
}

absl::StatusOr<const Registration*> DeviceTransaction::FindRegistration(uint64_t registration_id) {
  const auto it = registrations_.find(registration_id);
  if (it != registrations_.end()) return &it->second.record;
  BELLWIRE_ASSIGN_OR_RETURN(
      std::optional<Registration> record,
      GetRecord<Registration>(overlay_, Family::kDevices, RegistrationKey(id_, registration_id)));
  if (!record.has_value()) return nullptr;
  LoadedRegistration& loaded = registrations_[registration_id];
  loaded.record = *std::move(record);
  return &loaded.record;
}

Registration* DeviceTransaction::MutableRegistration(uint64_t registration_id) {
  const auto it = registrations_.find(registration_id);
  assert(it != registrations_.end());
  it->second.changed = true;
  return &it->second.record;
}

void DeviceTransaction::AddRegistration(uint64_t registration_id, Registration registration) {
  registrations_[registration_id] = {std::move(registration), /*changed=*/true};
}

void DeviceTransaction::DeleteRegistration(uint64_t registration_id) {
  const auto it = registrations_.find(registration_id);
  assert(it != registrations_.end());
  if (const int64_t wake_at_ms = it->second.record.wake_at_ms(); wake_at_ms != 0) {
    DeleteTimeline({.time_ms = wake_at_ms,
                    .kind = TimelineEntry::Kind::kExpiry,
                    .message = {.registration_id = registration_id}});
  }
  it->second.record.clear_pending();
  SettleWaitingBytes(&it->second.record);
  registrations_.erase(it);
  overlay_.Delete(Family::kDevices, RegistrationKey(id_, registration_id));
}

absl::Status DeviceTransaction::ScanRegistrations(
    absl::FunctionRef<void(uint64_t registration_id, const Registration&)> visit) {
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_.Scan(Family::kDevices, RegistrationsFrom(id_), RegistrationsEnd(id_),
                    [&](absl::string_view key, absl::string_view value) {
                      const absl::StatusOr<Registration> record = ParseRecord<Registration>(value);
                      status = record.status();
                      if (record.ok()) visit(IdOfRegistrationKey(key), *record);
                      return status.ok();
                    }));
  return status;
}

absl::StatusOr<uint64_t> DeviceTransaction::FindApp(absl::string_view app_id,
                                                    absl::string_view owner) {
  return RegistrationAt(overlay_, AppKey(id_, app_id, owner));
}

void DeviceTransaction::PutApp(absl::string_view app_id, absl::string_view owner,
                               uint64_t registration_id) {
  std::string value;
  AppendBigEndian64(registration_id, &value);
  overlay_.Put(Family::kDevices, AppKey(id_, app_id, owner), std::move(value));
}

void DeviceTransaction::DeleteApp(absl::string_view app_id, absl::string_view owner) {
  overlay_.Delete(Family::kDevices, AppKey(id_, app_id, owner));
}

absl::StatusOr<uint64_t> DeviceTransaction::FindSubscription(absl::string_view instance) {
  return RegistrationAt(overlay_, SubscriptionKey(id_, instance));
}

void DeviceTransaction::CountSubscriptionMessage(int more) {
  Device& device = mutable_device();
  device.set_subscription_messages(device.subscription_messages() + static_cast<uint32_t>(more));
}

void DeviceTransaction::WakeBy(uint64_t registration_id, int64_t time_ms) {
  Registration* registration = MutableRegistration(registration_id);
  TimelineEntry entry{.time_ms = registration->wake_at_ms(),
                      .kind = TimelineEntry::Kind::kExpiry,
                      .message = {.registration_id = registration_id}};
  // One that comes too early finds nothing to do and is armed again: as long as messages come and
  // go, the entry of the first of them is the only one.
  if (entry.time_ms != 0 && entry.time_ms <= time_ms) return;
  if (entry.time_ms != 0) DeleteTimeline(entry);
  entry.time_ms = time_ms;
  PutTimeline(entry);
  registration->set_wake_at_ms(time_ms);
}

void DeviceTransaction::StartLife(const Envelope& mail) {
  const auto registration = registrations_.find(mail.registration_id());
  assert(registration != registrations_.end());
  const auto publish = [&](push::v1::Step step, int64_t time_ms) {
    steps_.push_back({step, absl::Milliseconds(time_ms - mail.accepted_at_ms())});
    Publish(registration->second.record, mail.registration_id(), mail.message_id(), step, time_ms,
            "", mail.topic_message_id());
  };
  publish(push::v1::ACCEPTED, mail.accepted_at_ms());
  publish(push::v1::STORED, mail.stored_at_ms());
  // Of a message that waits its record says it all.
  if (!IsNowOrNever(mail)) return;
  MessageLife life = NewLife(mail);
  PutLife(RefOf(mail), &life);
}

absl::Status DeviceTransaction::ReceiptsMissing(const MessageRef& message) const {
  return StoreCorruptError(absl::StrCat("the receipts of message ", FormatUuid(message.message_id),
                                        " of device ", ToHex(id_), " are missing"));
}

absl::StatusOr<std::optional<MessageLife>> DeviceTransaction::FindLife(const MessageRef& message) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                            FindRegistration(message.registration_id));
  if (registration != nullptr) {
    const uint32_t hash = ShortHash(message.message_id);
    for (const Pending& pending : registration->pending()) {
      if (pending.message_id_hash() != hash) continue;
      BELLWIRE_ASSIGN_OR_RETURN(const Envelope mail, ReadPending(message.registration_id, pending));
      if (mail.message_id() == message.message_id.bytes()) return LifeOf(mail, pending);
    }
  }
  return ReadLife(message);
}

absl::StatusOr<std::optional<MessageLife>> DeviceTransaction::ReadLife(const MessageRef& message) {
  BELLWIRE_ASSIGN_OR_RETURN(
      std::optional<MessageLife> life,
      GetRecord<MessageLife>(overlay_, Family::kLives, LifeKey(id_, message)));
  if (life.has_value() && life->receipts_size() == 0)
    return StoreCorruptError("a life without receipts");
  return life;
}

absl::StatusOr<MessageLife> DeviceTransaction::GetLife(const MessageRef& message) {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<MessageLife> life, FindLife(message));
  if (life.has_value()) return *std::move(life);
  return ReceiptsMissing(message);
}

absl::StatusOr<MessageLife> DeviceTransaction::LifeOf(const Envelope& mail) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                            FindRegistration(mail.registration_id()));
  if (registration == nullptr) return StoreCorruptError("a message without registration");
  for (const Pending& pending : registration->pending()) {
    if (IsAbout(pending, mail)) return LifeOf(mail, pending);
  }
  return StoreCorruptError("a message that its registration misses");
}

absl::StatusOr<MessageLife> DeviceTransaction::LifeOf(const Envelope& mail,
                                                      const Pending& pending) {
  if (!pending.has_life()) return NewLife(mail);
  const MessageRef ref = RefOf(mail);
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<MessageLife> life, ReadLife(ref));
  if (life.has_value()) return *std::move(life);
  return ReceiptsMissing(ref);
}

absl::StatusOr<std::vector<uint64_t>> DeviceTransaction::FindLivesOf(const MessageId& message_id) {
  std::vector<uint64_t> registrations;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_.Scan(Family::kLives, LifeFrom(id_, message_id), LifeEnd(id_, message_id),
                    [&](absl::string_view key, absl::string_view) {
                      registrations.push_back(MessageOfLifeKey(key).registration_id);
                      return registrations.size() < kMaxRegistrationsPerDevice;
                    }));
  return registrations;
}

absl::StatusOr<std::vector<MessageRef>> DeviceTransaction::FindOpenLivesOf(
    const std::set<uint64_t>& registrations) {
  std::vector<MessageRef> open;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(overlay_.Scan(Family::kLives, LivesFrom(id_), LivesEnd(id_),
                                         [&](absl::string_view key, absl::string_view value) {
                                           const MessageRef ref = MessageOfLifeKey(key);
                                           if (registrations.count(ref.registration_id) == 0)
                                             return true;
                                           const absl::StatusOr<MessageLife> life =
                                               ParseRecord<MessageLife>(value);
                                           status = life.status();
                                           if (life.ok() && life->place() != MessageLife::ENDED)
                                             open.push_back(ref);
                                           return status.ok();
                                         }));
  BELLWIRE_RETURN_IF_ERROR(status);
  return open;
}

void DeviceTransaction::PutLife(const MessageRef& message, MessageLife* life) {
  if (HoldsPlace(*life)) {
    // Its registration sees to its expiry.
    for (Pending& pending : *MutableRegistration(message.registration_id)->mutable_pending()) {
      if (IsAbout(pending, message, *life)) pending.set_has_life(true);
    }
  } else if (const int64_t latest_ms = LatestWakeMs(*life, retention_);
             latest_ms != 0) {
    // An entry that comes too early is armed again. So a message that came to its device is given
    // the time when its receipts are most likely forgotten: two writes less than to wait for its
    // ttl first.
    const int64_t ended_soon_ms = now_ms_ + absl::ToInt64Milliseconds(retention_.receipts) +
                                  absl::ToInt64Milliseconds(kReceiptRetentionSlack);
    if (life->wake_at_ms() == 0 || life->wake_at_ms() > latest_ms) {
      MoveWake(message, life, std::min(NextWakeMs(*life, retention_), ended_soon_ms));
    }
  }
  overlay_.Put(Family::kLives, LifeKey(id_, message), life->SerializeAsString());
}

void DeviceTransaction::DeleteLife(const MessageRef& message, const MessageLife& life) {
  if (life.wake_at_ms() != 0) {
    DeleteTimeline(
        {.time_ms = life.wake_at_ms(), .kind = TimelineEntry::Kind::kLife, .message = message});
  }
  overlay_.Delete(Family::kLives, LifeKey(id_, message));
}

void DeviceTransaction::MoveWake(const MessageRef& message, MessageLife* life, int64_t wake_at_ms) {
  TimelineEntry entry{
      .time_ms = life->wake_at_ms(), .kind = TimelineEntry::Kind::kLife, .message = message};
  if (entry.time_ms != 0) DeleteTimeline(entry);
  entry.time_ms = wake_at_ms;
  PutTimeline(entry);
  life->set_wake_at_ms(wake_at_ms);
}

absl::Status DeviceTransaction::Record(const MessageRef& message, MessageLife* life,
                                       push::v1::Step step, absl::string_view detail,
                                       std::optional<int64_t> time_ms) {
  if (IsTerminal(step) && HoldsPlace(*life)) BELLWIRE_RETURN_IF_ERROR(LeavePlace(message, *life));
  BELLWIRE_RETURN_IF_ERROR(TakeReceipt(message, life, step, detail, time_ms.value_or(now_ms_)));
  if (IsTerminal(step) && life->recall_noticed()) {
    overlay_.Delete(Family::kDevices, RecallKey(id_, message));
    Device& device = mutable_device();
    device.set_recall_notices(device.recall_notices() - 1);
    life->clear_recall_noticed();
    settled_may_grow_ = true;
  }
  PutLife(message, life);
  return absl::OkStatus();
}

absl::Status DeviceTransaction::Note(const MessageRef& message, MessageLife* life,
                                     push::v1::Step step, int64_t time_ms) {
  assert(!IsTerminal(step));
  return TakeReceipt(message, life, step, "", time_ms);
}

absl::Status DeviceTransaction::TakeReceipt(const MessageRef& message, MessageLife* life,
                                            push::v1::Step step, absl::string_view detail,
                                            int64_t time_ms) {
  // A topic message counts each step of a message once: a message is sent as often as its device
  // comes back.
  const bool is_first = std::none_of(
      life->receipts().begin(), life->receipts().end(),
      [step](const storage::v1::StoredReceipt& receipt) { return receipt.step() == step; });
  if (!AddReceipt(life, step, time_ms, detail)) return absl::OkStatus();
  const int64_t from_ms = std::max(life->accepted_at_ms(), life->deliver_at_ms());
  steps_.push_back({step, absl::Milliseconds(time_ms - from_ms)});
  // kDeadTokenRetention sees to it that the registration is there as long as its messages live.
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                            FindRegistration(message.registration_id));
  if (registration == nullptr) return StoreCorruptError("a message without registration");
  Publish(*registration, message.registration_id, message.message_id.bytes(), step, time_ms, detail,
          is_first ? absl::string_view(life->topic_message_id()) : absl::string_view());
  return absl::OkStatus();
}

absl::Status DeviceTransaction::AddRecallNotice(const MessageRef& message, MessageLife* life) {
  if (life->recall_noticed()) return absl::OkStatus();
  if (device_.recall_notices() >= kMaxRecallNotices) {
    return MakeError(
        absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
        absl::StrCat(kMaxRecallNotices,
                     " recalls wait for word of this device already, which is the most"));
  }
  storage::v1::RecallNotice notice;
  notice.set_seq(life->seq());
  overlay_.Put(Family::kDevices, RecallKey(id_, message), notice.SerializeAsString());
  Device& device = mutable_device();
  device.set_recall_notices(device.recall_notices() + 1);
  life->set_recall_noticed(true);
  PutLife(message, life);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DeviceTransaction::Recalled>> DeviceTransaction::RecallNotices() {
  std::vector<Recalled> recalled;
  if (device_.recall_notices() == 0) return recalled;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_.Scan(Family::kDevices, RecallsFrom(id_), RecallsEnd(id_),
                    [&](absl::string_view key, absl::string_view value) {
                      const auto notice = ParseRecord<storage::v1::RecallNotice>(value);
                      status = notice.status();
                      if (notice.ok()) recalled.push_back({MessageOfRecallKey(key), notice->seq()});
                      return status.ok() && recalled.size() < kMaxRecallNotices;
                    }));
  BELLWIRE_RETURN_IF_ERROR(status);
  return recalled;
}

void DeviceTransaction::RecordDeadToken(uint64_t registration_id, absl::string_view detail) {
  const auto it = registrations_.find(registration_id);
  assert(it != registrations_.end());
  Publish(it->second.record, registration_id, "", push::v1::UNREGISTERED, now_ms_, detail, "");
}

void DeviceTransaction::Publish(const Registration& registration, uint64_t registration_id,
                                absl::string_view message_id, push::v1::Step step, int64_t time_ms,
                                absl::string_view detail, absl::string_view topic_message_id) {
  if (registration.has_subscription()) return;
  storage::v1::OutboxReceipt* entry = outbox_.add_receipts();
  entry->set_team_id(registration.team_id());
  entry->set_app_id(registration.app_id());
  entry->set_registration_id(registration_id);
  entry->set_message_id(std::string(message_id));
  entry->mutable_receipt()->set_step(step);
  entry->mutable_receipt()->set_time_ms(time_ms);
  entry->mutable_receipt()->set_detail(std::string(detail));
  entry->set_topic_message_id(std::string(topic_message_id));
}

uint64_t DeviceTransaction::TakeSeq() {
  Device& device = mutable_device();
  device.set_last_seq(device.last_seq() + 1);
  return device.last_seq();
}

absl::StatusOr<std::optional<Envelope>> DeviceTransaction::FindMail(uint64_t seq) {
  return GetRecord<Envelope>(overlay_, Family::kDevices, MailboxKey(id_, seq));
}

void DeviceTransaction::AddMail(const Envelope& mail) {
  overlay_.PutNew(Family::kDevices, MailboxKey(id_, mail.seq()), mail.SerializeAsString());
  Device& device = mutable_device();
  device.set_mailbox_records(device.mailbox_records() + 1);
}

void DeviceTransaction::RemoveMail(uint64_t seq) {
  overlay_.Delete(Family::kDevices, MailboxKey(id_, seq));
  Device& device = mutable_device();
  device.set_mailbox_records(device.mailbox_records() - 1);
  settled_may_grow_ = true;
}

absl::Status DeviceTransaction::ScanMail(
    uint64_t after_seq, absl::FunctionRef<absl::StatusOr<bool>(const Envelope&)> visit) {
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_.Scan(Family::kDevices, MailboxKey(id_, after_seq + 1), MailboxEnd(id_),
                    [&](absl::string_view, absl::string_view value) {
                      const absl::StatusOr<Envelope> mail = ParseRecord<Envelope>(value);
                      if (!mail.ok()) {
                        status = mail.status();
                        return false;
                      }
                      const absl::StatusOr<bool> go_on = visit(*mail);
                      if (!go_on.ok()) status = go_on.status();
                      return go_on.ok() && *go_on;
                    }));
  return status;
}

void DeviceTransaction::AddScheduled(const Envelope& message) {
  const MessageRef ref{*MessageId::FromBytes(message.message_id()), message.registration_id()};
  overlay_.Put(Family::kDevices, ScheduledKey(id_, message.deliver_at_ms(), ref),
               message.SerializeAsString());
  PutTimeline({.time_ms = message.deliver_at_ms(), .kind = TimelineEntry::Kind::kScheduled});
  Device& device = mutable_device();
  if (device.next_due_at_ms() == 0 || message.deliver_at_ms() < device.next_due_at_ms()) {
    device.set_next_due_at_ms(message.deliver_at_ms());
  }
}

absl::Status DeviceTransaction::ReleaseDue() {
  if (device_.next_due_at_ms() == 0 || device_.next_due_at_ms() > now_ms_) return absl::OkStatus();
  std::vector<Envelope> due;
  int64_t next_due_at_ms = 0;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(overlay_.Scan(
      Family::kDevices, ScheduledFrom(id_, 0), ScheduledFrom(id_, INT64_MAX),
      [&](absl::string_view key, absl::string_view value) {
        if (TimeOfScheduledKey(key) > now_ms_ || due.size() == kMaxReleasesPerTransaction) {
          next_due_at_ms = TimeOfScheduledKey(key);
          return false;
        }
        absl::StatusOr<Envelope> message = ParseRecord<Envelope>(value);
        status = message.status();
        if (message.ok()) due.push_back(*std::move(message));
        return status.ok();
      }));
  BELLWIRE_RETURN_IF_ERROR(status);
  for (Envelope& message : due) {
    const std::optional<MessageId> message_id = MessageId::FromBytes(message.message_id());
    if (!message_id.has_value()) return StoreCorruptError("a scheduled message without id");
    const MessageRef ref{*message_id, message.registration_id()};
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(ref.registration_id));
    if (found == nullptr) return StoreCorruptError("a scheduled message without registration");
    auto& all = *MutableRegistration(ref.registration_id)->mutable_pending();
    const auto pending =
        std::find_if(all.begin(), all.end(), [&](const Pending& p) { return IsAbout(p, message); });
    if (pending == all.end()) {
      return StoreCorruptError("a scheduled message that its registration misses");
    }
    if (IsExpired(message.expires_at_ms(), now_ms_)) {
      // Nobody looked while it was due. It was never sent, so no acknowledgement can be under way.
      BELLWIRE_ASSIGN_OR_RETURN(MessageLife life, LifeOf(message, *pending));
      BELLWIRE_RETURN_IF_ERROR(Record(ref, &life, push::v1::EXPIRED, kExpiredDetail));
      continue;
    }
    message.set_seq(TakeSeq());
    pending->set_seq(message.seq());
    pending->clear_deliver_at_ms();
    pending->clear_message_id();
    if (connected()) pending->set_handed_at_ms(now_ms_);
    overlay_.Delete(Family::kDevices, ScheduledKey(id_, message.deliver_at_ms(), ref));
    AddMail(message);
    HandOver(std::move(message));
  }
  mutable_device().set_next_due_at_ms(next_due_at_ms);
  return absl::OkStatus();
}

void DeviceTransaction::AddPending(const Envelope& mail) {
  Registration* registration = MutableRegistration(mail.registration_id());
  if (registration->has_subscription()) CountSubscriptionMessage(+1);
  Pending* pending = registration->add_pending();
  pending->set_seq(mail.seq());
  pending->set_expires_at_ms(mail.expires_at_ms());
  pending->set_collapse_key(mail.collapse_key());
  pending->set_bytes(WaitingBytes(mail));
  pending->set_message_id_hash(ShortHash(*MessageId::FromBytes(mail.message_id())));
  if (mail.seq() == 0) {
    pending->set_deliver_at_ms(mail.deliver_at_ms());
    pending->set_message_id(mail.message_id());
  } else if (connected()) {
    pending->set_handed_at_ms(now_ms_);
  }
  WakeBy(mail.registration_id(), mail.expires_at_ms());
}

absl::Status DeviceTransaction::LeavePlace(const MessageRef& message, const MessageLife& life) {
  assert(HoldsPlace(life));
  if (life.place() == MessageLife::MAILBOX) {
    RemoveMail(life.seq());
  } else {
    overlay_.Delete(Family::kDevices, ScheduledKey(id_, life.deliver_at_ms(), message));
  }
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(message.registration_id));
  if (found == nullptr) return StoreCorruptError("a pending message without registration");
  auto& pending = *MutableRegistration(message.registration_id)->mutable_pending();
  const auto it = std::find_if(pending.begin(), pending.end(),
                               [&](const Pending& p) { return IsAbout(p, message, life); });
  if (it == pending.end())
    return StoreCorruptError("a pending message that its registration misses");
  pending.erase(it);
  if (found->has_subscription()) CountSubscriptionMessage(-1);
  return absl::OkStatus();
}

absl::StatusOr<Envelope> DeviceTransaction::ReadPending(uint64_t registration_id,
                                                        const Pending& pending) {
  std::optional<Envelope> mail;
  if (pending.seq() != 0) {
    BELLWIRE_ASSIGN_OR_RETURN(mail, FindMail(pending.seq()));
  } else if (const auto message_id = MessageId::FromBytes(pending.message_id())) {
    const std::string key =
        ScheduledKey(id_, pending.deliver_at_ms(), {*message_id, registration_id});
    BELLWIRE_ASSIGN_OR_RETURN(mail, GetRecord<Envelope>(overlay_, Family::kDevices, key));
  }
  if (!mail.has_value() || mail->message_id().size() != MessageId::kSize) {
    return StoreCorruptError("a pending message that can't be found");
  }
  return *std::move(mail);
}

absl::Status DeviceTransaction::EndPending(uint64_t registration_id, const Pending& pending,
                                           push::v1::Step step, absl::string_view detail) {
  BELLWIRE_ASSIGN_OR_RETURN(const Envelope mail, ReadPending(registration_id, pending));
  BELLWIRE_ASSIGN_OR_RETURN(MessageLife life, LifeOf(mail, pending));
  return Record(RefOf(mail), &life, step, detail);
}

absl::StatusOr<int64_t> DeviceTransaction::EndExpired(uint64_t registration_id) {
  const auto it = registrations_.find(registration_id);
  assert(it != registrations_.end());
  // A copy, as ending them changes the list.
  const auto all = it->second.record.pending();
  int64_t next_ms = INT64_MAX;
  for (const Pending& pending : all) {
    const int64_t due_ms = ExpiryDueMs(pending.expires_at_ms(), connected());
    if (due_ms > now_ms_) {
      next_ms = std::min(next_ms, due_ms);
    } else {
      BELLWIRE_RETURN_IF_ERROR(
          EndPending(registration_id, pending, push::v1::EXPIRED, kExpiredDetail));
    }
  }
  return next_ms;
}

absl::Status DeviceTransaction::NoteHandedOver(const Envelope& mail) {
  if (mail.gap_dropped() != 0) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(mail.registration_id()));
  if (found == nullptr) return StoreCorruptError("a message without registration");
  for (Pending& pending : *MutableRegistration(mail.registration_id())->mutable_pending()) {
    if (IsAbout(pending, mail)) pending.set_handed_at_ms(now_ms_);
  }
  return absl::OkStatus();
}

bool DeviceTransaction::MayBeOnItsWay(const Pending& pending) const {
  if (!connected() || pending.seq() == 0) return false;
  // What has a life was sent, and is sent again first of all.
  return pending.has_life() ||
         (pending.handed_at_ms() != 0 &&
          now_ms_ - pending.handed_at_ms() < absl::ToInt64Milliseconds(kHandOverGrace));
}

absl::Status DeviceTransaction::AddGap(uint64_t registration_id, uint32_t dropped) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(registration_id));
  assert(found != nullptr);
  if (found->gap_seq() != 0 && (connected() || found->gap_seq() <= device_.sent_up_to_seq())) {
    // The device may have it. A second count of what that one counts could not be told from new
    // losses.
    MutableRegistration(registration_id)->set_gap_untold(found->gap_untold() + dropped);
    return absl::OkStatus();
  }
  if (found->gap_seq() != 0) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::optional<Envelope> earlier, FindMail(found->gap_seq()));
    if (!earlier.has_value()) return StoreCorruptError("a gap notice that can't be found");
    dropped += earlier->gap_dropped();
    RemoveMail(found->gap_seq());
  }
  Envelope gap;
  gap.set_seq(TakeSeq());
  gap.set_registration_id(registration_id);
  gap.set_accepted_at_ms(now_ms_);
  gap.set_gap_dropped(dropped);
  AddMail(gap);
  MutableRegistration(registration_id)->set_gap_seq(gap.seq());
  HandOver(std::move(gap));
  return absl::OkStatus();
}

absl::Status DeviceTransaction::AcknowledgeGap(uint64_t registration_id, uint64_t seq) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(registration_id));
  if (found == nullptr || found->gap_seq() != seq) {
    return StoreCorruptError("a gap notice that its registration misses");
  }
  Registration* registration = MutableRegistration(registration_id);
  const uint32_t untold = registration->gap_untold();
  registration->clear_gap_seq();
  registration->clear_gap_untold();
  RemoveMail(seq);
  NoteAcknowledged(seq);
  return untold == 0 ? absl::OkStatus() : AddGap(registration_id, untold);
}

absl::StatusOr<std::optional<NowOrNever>> DeviceTransaction::FindNowOrNever(uint64_t seq) {
  return GetRecord<NowOrNever>(overlay_, Family::kDevices, NowOrNeverKey(id_, seq));
}

void DeviceTransaction::AddNowOrNever(uint64_t seq, const MessageRef& message, int64_t until_ms) {
  NowOrNever record;
  record.set_registration_id(message.registration_id);
  record.set_message_id(std::string(message.message_id.bytes()));
  overlay_.PutNew(Family::kDevices, NowOrNeverKey(id_, seq), record.SerializeAsString());
  PutTimeline({.time_ms = until_ms, .kind = TimelineEntry::Kind::kNowOrNever, .seq = seq});
  Device& device = mutable_device();
  device.set_now_or_never_records(device.now_or_never_records() + 1);
}

void DeviceTransaction::DeleteNowOrNever(uint64_t seq) {
  overlay_.Delete(Family::kDevices, NowOrNeverKey(id_, seq));
  Device& device = mutable_device();
  device.set_now_or_never_records(device.now_or_never_records() - 1);
  settled_may_grow_ = true;
}

void DeviceTransaction::PutTimeline(TimelineEntry entry) {
  entry.device = id_;
  overlay_.Put(Family::kTimeline, TimelineKey(entry), std::string());
}

void DeviceTransaction::DeleteTimeline(TimelineEntry entry) {
  entry.device = id_;
  overlay_.Delete(Family::kTimeline, TimelineKey(entry));
}

}  // namespace bellwire::registry
