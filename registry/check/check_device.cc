#include "registry/check/check_device.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "common/limits.h"
#include "registry/catalogue/app_lives.h"
#include "registry/engine/records.h"
#include "registry/mailbox/message_life.h"
#include "registry/mailbox/retention.h"

namespace bellwire::registry {
namespace {

using internal::v1::Envelope;
using storage::v1::Device;
using storage::v1::NowOrNever;
using storage::v1::Pending;
using storage::v1::Registration;

constexpr size_t kHead = DeviceId::kSize + 1;
constexpr size_t kNumber = 8;
constexpr size_t kRef = MessageId::kSize + kNumber;

// REQUIRES: bytes.size() == kRef.
MessageRef RefFrom(absl::string_view bytes) {
  return {*MessageId::FromBytes(bytes.substr(0, MessageId::kSize)),
          ParseBigEndian64(bytes.substr(MessageId::kSize))};
}

std::string Number(absl::string_view what, uint64_t n) { return absl::StrCat(what, " ", n); }

}  // namespace

void DeviceCheck::Problem(absl::string_view where, std::string what) {
  report_.Add(absl::StrCat("device ", ToHex(device_), where.empty() ? "" : ", ", where),
              std::move(what));
}

std::string DeviceCheck::NameOf(uint64_t registration_id) {
  return absl::StrCat("registration ", absl::Hex(registration_id, absl::kZeroPad16));
}

std::string DeviceCheck::NameOf(const MessageRef& ref) const {
  return absl::StrCat("message ", FormatUuid(ref.message_id), " of ", NameOf(ref.registration_id));
}

void DeviceCheck::Take(absl::string_view key, absl::string_view value) {
  const char kind = key[kHead - 1];
  const absl::string_view rest = key.substr(kHead);
  switch (kind) {
    case 'D': {
      report_.Count(RecordKind::kDevice);
      auto record = ParseRecord<Device>(value);
      if (!rest.empty()) return Problem("", "its own record has a key that is too long");
      if (!record.ok()) return Problem("", "its own record can't be parsed");
      record_ = *std::move(record);
      return;
    }
    case 'A':
      report_.Count(RecordKind::kInstalledApp);
      if (value.size() != kNumber || rest.empty()) {
        return Problem(absl::StrCat("app ", rest), "its entry is no registration's number");
      }
      apps_[std::string(rest)] = ParseBigEndian64(value);
      return;
    case 'U':
      report_.Count(RecordKind::kSubscription);
      if (value.size() < kNumber || rest.empty()) {
        return Problem("a subscription", "its entry does not begin with a registration's number");
      }
      subscriptions_[std::string(rest)] = {ParseBigEndian64(value.substr(0, kNumber)),
                                           std::string(value.substr(kNumber))};
      return;
    case 'R': {
      report_.Count(RecordKind::kRegistration);
      auto record = ParseRecord<Registration>(value);
      if (rest.size() != kNumber) return Problem("", "a registration's key has a wrong length");
      const uint64_t id = ParseBigEndian64(rest);
      if (!record.ok()) return Problem(NameOf(id), "its record can't be parsed");
      registrations_[id] = *std::move(record);
      return;
    }
    case 'M':
    case 'S':
      return TakeMessage(rest, value, kind == 'S');
    case 'N': {
      report_.Count(RecordKind::kNowOrNever);
      auto record = ParseRecord<NowOrNever>(value);
      if (rest.size() != kNumber) return Problem("", "a now-or-never key has a wrong length");
      const uint64_t seq = ParseBigEndian64(rest);
      const auto id = record.ok() ? MessageId::FromBytes(record->message_id()) : std::nullopt;
      if (!id.has_value())
        return Problem(Number("now-or-never", seq), "its record can't be parsed");
      now_or_never_[seq] = {*id, record->registration_id()};
      return;
    }
    case 'T': {
      report_.Count(RecordKind::kTopicSubscription);
      if (rest.size() <= kNumber || !ParseRecord<storage::v1::TopicSubscription>(value).ok()) {
        return Problem("", "a subscription to a topic can't be parsed");
      }
      topics_[ParseBigEndian64(rest.substr(0, kNumber))].emplace(rest.substr(kNumber));
      return;
    }
    case 'C': {
      report_.Count(RecordKind::kRecallNotice);
      const auto notice = ParseRecord<storage::v1::RecallNotice>(value);
      if (rest.size() != kRef) return Problem("", "a recall notice has a key of a wrong length");
      const MessageRef ref = RefFrom(rest);
      if (!notice.ok()) return Problem(NameOf(ref), "its recall notice can't be parsed");
      recalls_[ref] = notice->seq();
      return;
    }
    default:
      report_.Count(RecordKind::kUnknown);
  }
}

void DeviceCheck::TakeMessage(absl::string_view rest, absl::string_view value, bool scheduled) {
  auto envelope = ParseRecord<Envelope>(value);
  const bool gap = !scheduled && envelope.ok() && envelope->gap_dropped() != 0;
  report_.Count(scheduled ? RecordKind::kScheduled
                          : (gap ? RecordKind::kGapNotice : RecordKind::kMessage));
  if (rest.size() != (scheduled ? kNumber + kRef : kNumber)) {
    return Problem("", "a message's key has a wrong length");
  }
  const uint64_t number = ParseBigEndian64(rest.substr(0, kNumber));
  const std::string where =
      scheduled ? NameOf(RefFrom(rest.substr(kNumber))) : Number("mailbox number", number);
  if (!envelope.ok()) return Problem(where, "its record can't be parsed");
  if (!gap && envelope->stored_at_ms() == 0) Problem(where, "it does not say when it was stored");
  Mail mail{*std::move(envelope), ""};
  if (!gap) mail.content_hash = ContentHash(mail.envelope);
  mail.envelope.clear_payload();
  if (scheduled) {
    const MessageRef ref = RefFrom(rest.substr(kNumber));
    if (static_cast<uint64_t>(mail.envelope.deliver_at_ms()) != number ||
        mail.envelope.seq() != 0 || mail.envelope.message_id() != ref.message_id.bytes() ||
        mail.envelope.registration_id() != ref.registration_id) {
      Problem(where, "the scheduled message is not the one that its key names");
    }
    scheduled_[ref] = std::move(mail);
  } else {
    if (mail.envelope.seq() != number) {
      Problem(where, absl::StrCat("the message there has the number ", mail.envelope.seq()));
    }
    mail_[number] = std::move(mail);
  }
}

void DeviceCheck::TakeLives() {
  const absl::Status status = reader_.Scan(Family::kLives, LivesFrom(device_), LivesEnd(device_),
                                           [&](absl::string_view key, absl::string_view value) {
                                             TakeLife(key, value);
                                             return true;
                                           });
  if (!status.ok()) Problem("", absl::StrCat("its lives can't be read: ", status.message()));
}

void DeviceCheck::TakeLife(absl::string_view key, absl::string_view value) {
  report_.Count(RecordKind::kLife);
  if (key.size() != kLifeKeySize) {
    return Problem("", "a message's life has a key of a wrong length");
  }
  const MessageRef ref = MessageOfLifeKey(key);
  auto life = ParseRecord<MessageLife>(value);
  if (!life.ok()) return Problem(NameOf(ref), "the record of its life can't be parsed");
  lives_[ref] = *std::move(life);
}

void DeviceCheck::Judge() {
  TakeLives();
  JudgeDevice();
  JudgeApps();
  JudgeSubscriptions();
  JudgeTopics();
  for (const auto& [id, registration] : registrations_) JudgeRegistration(id, registration);
  for (const auto& [seq, mail] : mail_) JudgeMail(seq, mail);
  for (const auto& [ref, mail] : scheduled_) JudgeScheduled(ref, mail);
  for (const auto& [seq, ref] : now_or_never_) JudgeNowOrNever(seq, ref);
  for (const auto& [ref, seq] : recalls_) JudgeRecall(ref, seq);
  for (const auto& [ref, life] : lives_) JudgeLife(ref, life);
}

void DeviceCheck::JudgeDevice() {
  if (!record_.has_value()) return Problem("", "has records but none of its own");
  const Device& device = *record_;
  if (device.mailbox_id().size() != MailboxId::kSize) Problem("", "has no mailbox id");
  const auto counted = [this](uint64_t said, uint64_t found, absl::string_view what) {
    if (said != found) Problem("", absl::StrCat("counts ", said, " ", what, " and has ", found));
  };
  counted(device.mailbox_records(), mail_.size(), "records in its mailbox");
  counted(device.now_or_never_records(), now_or_never_.size(), "now-or-never numbers");
  counted(device.recall_notices(), recalls_.size(), "recall notices");
  counted(device.registrations(), registrations_.size(), "registrations");
  counted(device.live_registrations(), apps_.size() + subscriptions_.size(),
          "living registrations");
  counted(device.live_subscriptions(), subscriptions_.size(), "living subscriptions");
  size_t subscription_messages = 0;
  for (const auto& [id, registration] : registrations_) {
    if (registration.has_subscription()) subscription_messages += registration.pending_size();
  }
  counted(device.subscription_messages(), subscription_messages, "messages for subscriptions");
  if (device.settled_seq() > device.last_seq()) {
    Problem("", absl::StrCat("settled number ", device.settled_seq(), " when only ",
                             device.last_seq(), " were given"));
  }
  if (device.sent_up_to_seq() > device.last_seq()) {
    Problem("", absl::StrCat("number ", device.sent_up_to_seq(), " was sent when only ",
                             device.last_seq(), " were given"));
  }
  const auto numbered = [&](uint64_t seq) {
    if (seq > device.last_seq()) {
      Problem(Number("mailbox number", seq),
              absl::StrCat("was never given; the last one is ", device.last_seq()));
    } else if (seq <= device.settled_seq()) {
      Problem(Number("mailbox number", seq),
              absl::StrCat("is still there though everything up to ", device.settled_seq(),
                           " is settled: no page would hold it"));
    }
  };
  for (const auto& [seq, mail] : mail_) numbered(seq);
  for (const auto& [seq, ref] : now_or_never_) numbered(seq);
  if (device.has_route() && device.route().login_number() != device.last_login_number()) {
    Problem("", absl::StrCat("its route is of login ", device.route().login_number(),
                             " and its last login was ", device.last_login_number()));
  }
  if (scheduled_.empty()) return;
  int64_t first_ms = INT64_MAX;
  for (const auto& [ref, mail] : scheduled_) {
    first_ms = std::min(first_ms, mail.envelope.deliver_at_ms());
  }
  if (device.next_due_at_ms() == 0 || device.next_due_at_ms() > first_ms) {
    Problem("", "its first scheduled message is due before it would look for one");
  }
  if (!InTimeline({.time_ms = first_ms, .kind = TimelineEntry::Kind::kScheduled})) {
    Problem("", "nothing in the timeline brings its first scheduled message into the mailbox");
  }
}

void DeviceCheck::JudgeApps() {
  for (const auto& [name, registration_id] : apps_) {
    const auto it = registrations_.find(registration_id);
    const std::string where = absl::StrCat("app ", absl::CEscape(name));
    if (it == registrations_.end()) {
      Problem(where, absl::StrCat(NameOf(registration_id), " is missing"));
    } else if (InstalledAppName(it->second.app_id(), it->second.owner()) != name ||
               it->second.removed_at_ms() != 0) {
      Problem(where, absl::StrCat(NameOf(registration_id), " is of another app, or dead"));
    }
  }
}

void DeviceCheck::JudgeTopics() {
  for (const auto& [id, registration] : registrations_) {
    const auto topics = topics_.find(id);
    const size_t found = topics == topics_.end() ? 0 : topics->second.size();
    if (registration.topics() != found) {
      Problem(NameOf(id),
              absl::StrCat("counts ", registration.topics(), " topics and has ", found));
    }
  }
  for (const auto& [id, topics] : topics_) {
    const auto registration = registrations_.find(id);
    if (registration == registrations_.end() || registration->second.removed_at_ms() != 0) {
      ending_.emplace(device_, id);
    }
    if (registration == registrations_.end()) continue;
    for (const std::string& topic : topics) {
      const auto entry = reader_.Get(
          Family::kTopics, SubscriberKey(registration->second.team_id(), topic, device_, id));
      if (entry.ok() && !entry->has_value()) {
        Problem(NameOf(id), absl::StrCat("is subscribed to topic ", topic,
                                         ", which does not list it: no fan-out would find it"));
      }
    }
  }
}

void DeviceCheck::JudgeSubscriptions() {
  for (const auto& [instance, entry] : subscriptions_) {
    const auto it = registrations_.find(entry.registration_id);
    if (it == registrations_.end()) {
      Problem("a subscription", absl::StrCat(NameOf(entry.registration_id), " is missing"));
    } else if (it->second.subscription().instance() != instance ||
               it->second.removed_at_ms() != 0) {
      Problem("a subscription",
              absl::StrCat(NameOf(entry.registration_id), " is of another one, or dead"));
    } else if (it->second.subscription().owner() != entry.owner) {
      Problem(NameOf(entry.registration_id), "the entry of its name says another owner");
    }
  }
}

void DeviceCheck::JudgeApp(uint64_t id, const Registration& registration) {
  const std::string where = NameOf(id);
  if (registration.removed_at_ms() == 0) {
    const auto app = apps_.find(InstalledAppName(registration.app_id(), registration.owner()));
    if (app == apps_.end() || app->second != id) {
      Problem(where, absl::StrCat("it lives, and the device's entry for its app ",
                                  registration.app_id(), " does not lead to it"));
    }
  }
  const auto team = reader_.Get(Family::kTeams, TeamRecordKey(registration.team_id()));
  if (team.ok() && !team->has_value()) {
    Problem(where, absl::StrCat("it is left of team ", registration.team_id(), ", which is gone"));
  }
  const auto app = GetRecord<admin::v1::App>(
      reader_, Family::kTeams, TeamAppKey(registration.team_id(), registration.app_id()));
  if (app.ok() && !app->has_value()) {
    // An app that was deleted has no name any more either.
    const auto name = GetRecord<storage::v1::NameOwner>(reader_, Family::kNames,
                                                        AppNameKey(registration.app_id()));
    if (name.ok() && name->has_value() && (*name)->team_id() == registration.team_id()) {
      Problem(where, absl::StrCat("its app ", registration.app_id(), " of team ",
                                  registration.team_id(), " is not known"));
    }
  } else if (app.ok() && IsRegistrationOf(registration, **app) &&
             (*app)->overflow_policy() != registration.overflow_policy()) {
    Problem(where, "its overflow policy is not that of its app");
  }
}

void DeviceCheck::JudgeSubscription(uint64_t id, const Registration& registration) {
  const std::string where = NameOf(id);
  if (!registration.app_id().empty() || !registration.team_id().empty()) {
    Problem(where, "it is a subscription's and an app's");
  }
  if (registration.removed_at_ms() != 0) return;
  const auto entry = subscriptions_.find(registration.subscription().instance());
  if (entry == subscriptions_.end() || entry->second.registration_id != id) {
    Problem(where, "it lives, and the device's entry for its subscription does not lead to it");
  }
}

void DeviceCheck::JudgeRegistration(uint64_t id, const Registration& registration) {
  const std::string where = NameOf(id);
  if (registration.removed_at_ms() != 0) {
    if (registration.pending_size() != 0 || registration.gap_seq() != 0) {
      Problem(where, "its token is dead and messages wait for it");
    }
    if (!InTimeline({.time_ms = ForgetAtMs(registration),
                     .kind = TimelineEntry::Kind::kRegistration,
                     .message = {.registration_id = id}})) {
      Problem(where, "its token is dead and nothing in the timeline will forget it");
    }
  }
  if (registration.has_subscription()) {
    JudgeSubscription(id, registration);
  } else {
    JudgeApp(id, registration);
  }
  if (registration.pending_size() > static_cast<int>(kMaxMailboxMessagesPerApp)) {
    Problem(where, absl::StrCat(registration.pending_size(), " messages hold a place; at most ",
                                kMaxMailboxMessagesPerApp, " may"));
  }
  JudgePending(id, registration);
  JudgeWake(id, registration);
  if (registration.gap_seq() == 0) {
    if (registration.gap_untold() != 0) Problem(where, "no gap notice will tell what was dropped");
    return;
  }
  const auto gap = mail_.find(registration.gap_seq());
  if (gap == mail_.end() || gap->second.envelope.gap_dropped() == 0 ||
      gap->second.envelope.registration_id() != id) {
    Problem(where,
            absl::StrCat("its gap notice ", registration.gap_seq(), " is not in the mailbox"));
  }
}

void DeviceCheck::JudgeWake(uint64_t id, const Registration& registration) {
  const std::string where = NameOf(id);
  if (registration.wake_at_ms() == 0) {
    if (registration.pending_size() != 0) Problem(where, "nothing will end what waits for it");
    return;
  }
  for (const Pending& pending : registration.pending()) {
    if (registration.wake_at_ms() <=
        pending.expires_at_ms() + absl::ToInt64Milliseconds(kExpiryGrace)) {
      continue;
    }
    Problem(where, "its entry in the timeline comes too late for what waits for it");
    break;
  }
  if (!InTimeline({.time_ms = registration.wake_at_ms(),
                   .kind = TimelineEntry::Kind::kExpiry,
                   .message = {.registration_id = id}})) {
    Problem(where, "its entry in the timeline is missing");
  }
}

void DeviceCheck::JudgePending(uint64_t id, const Registration& registration) {
  const std::string where = NameOf(id);
  std::set<std::string> collapse_keys;
  for (const Pending& pending : registration.pending()) {
    if (!pending.collapse_key().empty() && !collapse_keys.insert(pending.collapse_key()).second) {
      Problem(where, absl::StrCat("two messages wait with the collapse key \"",
                                  pending.collapse_key(), "\""));
    }
    const Mail* found = nullptr;
    std::string what;
    if (pending.seq() != 0) {
      what = Number("number", pending.seq());
      ++pending_seqs_[pending.seq()];
      const auto it = mail_.find(pending.seq());
      if (it != mail_.end()) found = &it->second;
    } else if (const auto message_id = MessageId::FromBytes(pending.message_id())) {
      const MessageRef ref{*message_id, id};
      what = absl::StrCat("scheduled message ", FormatUuid(*message_id));
      ++pending_scheduled_[ref];
      const auto it = scheduled_.find(ref);
      if (it != scheduled_.end()) found = &it->second;
    }
    if (found == nullptr || found->envelope.registration_id() != id ||
        found->envelope.gap_dropped() != 0) {
      Problem(where, absl::StrCat("lists ", what.empty() ? "a message without id" : what,
                                  ", which is not there"));
      continue;
    }
    if (found->envelope.expires_at_ms() != pending.expires_at_ms() ||
        found->envelope.collapse_key() != pending.collapse_key()) {
      Problem(where, absl::StrCat("says of ", what, " another expiry or collapse key than it has"));
    }
    const auto message_id = MessageId::FromBytes(found->envelope.message_id());
    if (!message_id.has_value()) continue;
    if (ShortHash(*message_id) != pending.message_id_hash()) {
      Problem(where, absl::StrCat("would not find ", what, " by its id"));
    }
    if (pending.has_life()) waiting_lives_.insert({*message_id, id});
  }
}

void DeviceCheck::JudgePlace(const std::string& where, const MessageRef& ref, const Mail& mail,
                             MessageLife::Place place) {
  if (registrations_.count(ref.registration_id) == 0) {
    Problem(where, absl::StrCat(NameOf(ref.registration_id), " is missing"));
  }
  const auto life = lives_.find(ref);
  // While nothing happens to it the message itself is all there is.
  if (waiting_lives_.count(ref) == 0) {
    if (life != lives_.end())
      Problem(where, "it has a life that its registration does not know of");
    return;
  }
  if (life == lives_.end()) return Problem(where, "its life is missing");
  if (life->second.place() != place || life->second.seq() != mail.envelope.seq()) {
    Problem(where,
            absl::StrCat("its life says that it is elsewhere: ",
                         MessageLife::Place_Name(life->second.place()), " ", life->second.seq()));
  }
  if (life->second.content_hash() != mail.content_hash) {
    Problem(where, "its content is not what was accepted: the hash differs");
  }
  if (life->second.expires_at_ms() != mail.envelope.expires_at_ms()) {
    Problem(where, "its life says another expiry");
  }
}

void DeviceCheck::JudgeMail(uint64_t seq, const Mail& mail) {
  const Envelope& envelope = mail.envelope;
  const std::string where = Number("mailbox number", seq);
  if (envelope.gap_dropped() != 0) {
    const auto it = registrations_.find(envelope.registration_id());
    if (it == registrations_.end() || it->second.gap_seq() != seq) {
      Problem(where, "no registration knows of this gap notice");
    }
    return;
  }
  const auto message_id = MessageId::FromBytes(envelope.message_id());
  if (!message_id.has_value()) return Problem(where, "the message has no id");
  if (pending_seqs_[seq] != 1) {
    Problem(where, absl::StrCat("registrations list it ", pending_seqs_[seq], " times"));
  }
  JudgePlace(where, {*message_id, envelope.registration_id()}, mail, MessageLife::MAILBOX);
}

void DeviceCheck::JudgeScheduled(const MessageRef& ref, const Mail& mail) {
  const std::string where = NameOf(ref);
  if (pending_scheduled_[ref] != 1) {
    Problem(where, absl::StrCat("it is scheduled, and registrations list it ",
                                pending_scheduled_[ref], " times"));
  }
  JudgePlace(where, ref, mail, MessageLife::SCHEDULED);
}

void DeviceCheck::JudgeNowOrNever(uint64_t seq, const MessageRef& ref) {
  const auto life = lives_.find(ref);
  if (life == lives_.end() || life->second.seq() != seq) {
    Problem(Number("now-or-never", seq), absl::StrCat("no life of ", NameOf(ref), " has it"));
  }
}

void DeviceCheck::JudgeRecall(const MessageRef& ref, uint64_t seq) {
  const auto life = lives_.find(ref);
  if (life == lives_.end() || !life->second.recall_noticed() || life->second.seq() != seq) {
    Problem(NameOf(ref), "there is a recall notice that its life does not know");
  }
}

void DeviceCheck::JudgeLife(const MessageRef& ref, const MessageLife& life) {
  const std::string where = NameOf(ref);
  if (life.receipts_size() == 0) return Problem(where, "its life has no receipts");
  JudgeReceipts(where, life);
  if (life.recall_noticed() && recalls_.count(ref) == 0) {
    Problem(where, "it was recalled, and the notice for the agent is missing");
  }
  if (life.recall_noticed() && life.place() == MessageLife::ENDED) {
    Problem(where, "it ended, and still counts as being recalled");
  }
  if (life.content_hash().size() != 16) Problem(where, "its life has no content hash");
  if (record_.has_value() && life.seq() > record_->last_seq()) {
    Problem(where, absl::StrCat("its number ", life.seq(), " was never given"));
  }
  switch (life.place()) {
    case MessageLife::MAILBOX: {
      const auto it = mail_.find(life.seq());
      if (it == mail_.end() || it->second.envelope.message_id() != ref.message_id.bytes() ||
          it->second.envelope.registration_id() != ref.registration_id) {
        Problem(where, absl::StrCat("it was accepted and did not end, and mailbox number ",
                                    life.seq(), " does not hold it"));
      }
      break;
    }
    case MessageLife::SCHEDULED:
      if (scheduled_.count(ref) == 0) {
        Problem(where, "it was accepted and did not end, and it is not among the scheduled");
      }
      break;
    case MessageLife::NOW_OR_NEVER: {
      const auto it = now_or_never_.find(life.seq());
      if (it == now_or_never_.end() || it->second != ref) {
        Problem(where, "it is now-or-never, and nothing will end it");
      }
      break;
    }
    default:
      break;
  }
  if (life.place() != MessageLife::ENDED && registrations_.count(ref.registration_id) == 0) {
    Problem(where, absl::StrCat(NameOf(ref.registration_id), " is missing"));
  }
  const int64_t latest_ms = LatestWakeMs(life, {.receipts = kMaxReceiptRetention});
  if (life.wake_at_ms() == 0) {
    if (latest_ms != 0) Problem(where, "nothing in the timeline will end or forget it");
    return;
  }
  if (latest_ms != 0 && life.wake_at_ms() > latest_ms) {
    Problem(where, "its entry in the timeline comes too late");
  }
  if (!InTimeline(
          {.time_ms = life.wake_at_ms(), .kind = TimelineEntry::Kind::kLife, .message = ref})) {
    Problem(where, "its entry in the timeline is missing");
  }
}

// ACCEPTED STORED SENT* AGENT_ACKED? and at most one end; and the place that follows from it.
void DeviceCheck::JudgeReceipts(const std::string& where, const MessageLife& life) {
  if (life.receipts_size() > static_cast<int>(kMaxReceiptsPerMessage)) {
    Problem(where, absl::StrCat(life.receipts_size(), " receipts; at most ", kMaxReceiptsPerMessage,
                                " are kept"));
  }
  int i = 0;
  const auto next_is = [&](push::v1::Step step) {
    return i < life.receipts_size() && life.receipts(i).step() == step;
  };
  bool follow = next_is(push::v1::ACCEPTED);
  i += follow ? 1 : 0;
  if (follow) {
    follow = next_is(push::v1::STORED);
    i += follow ? 1 : 0;
  }
  while (next_is(push::v1::SENT)) ++i;
  const bool agent_acked = next_is(push::v1::AGENT_ACKED);
  if (agent_acked) ++i;
  const bool ended = i < life.receipts_size() && IsTerminal(life.receipts(i).step());
  if (ended) {
    follow = follow && (agent_acked || life.receipts(i).step() != push::v1::APP_ACKED);
    ++i;
  }
  if (!follow || i != life.receipts_size()) {
    std::string steps;
    for (const auto& receipt : life.receipts()) {
      absl::StrAppend(&steps, steps.empty() ? "" : " ", push::v1::Step_Name(receipt.step()));
    }
    return Problem(where, absl::StrCat("its receipts can't follow on each other: ", steps));
  }
  const bool fits = ended         ? life.place() == MessageLife::ENDED
                    : agent_acked ? life.place() == MessageLife::DEVICE
                                  : life.place() == MessageLife::MAILBOX ||
                                        life.place() == MessageLife::SCHEDULED ||
                                        life.place() == MessageLife::NOW_OR_NEVER ||
                                        life.place() == MessageLife::RECALLING;
  if (!fits) {
    Problem(where,
            absl::StrCat("its place ", MessageLife::Place_Name(life.place()),
                         " does not fit to its last receipt ", push::v1::Step_Name(StateOf(life))));
  }
}

bool DeviceCheck::InTimeline(TimelineEntry entry) const {
  entry.device = device_;
  const auto found = reader_.Get(Family::kTimeline, TimelineKey(entry));
  // What can't be read is reported as that.
  return !found.ok() || found->has_value();
}

}  // namespace bellwire::registry
