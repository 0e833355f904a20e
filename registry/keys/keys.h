#ifndef BELLWIRE_REGISTRY_KEYS_KEYS_H_
#define BELLWIRE_REGISTRY_KEYS_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/ids.h"

// The bytes of every key (docs/reference/registry_format.md). Numbers are big-endian, so that byte
// order is their order.
namespace bellwire::registry {

void AppendBigEndian64(uint64_t value, std::string* out);
// REQUIRES: bytes.size() == 8.
uint64_t ParseBigEndian64(absl::string_view bytes);

// A time as keys and records hold it: milliseconds since the Unix epoch, not before it.
int64_t ToStoredMs(absl::Time time);

// Seqs of mailboxes and positions of feeds that a start of the registry gives are greater than
// this. A store that comes from a backup must give no number again that it gave after the backup
// was made, so the number grows with each start, whatever the store knows of the others: the
// start's time, in microseconds. No device and no team gets a million numbers a second for long, so
// what one start gives stays below what the next one begins with. `before`: the number of the last
// start that the store knows of; a clock that was set back does not undercut it.
uint64_t NumbersOfStart(absl::Time start, uint64_t before);

// A message of one app on one device.
struct MessageRef {
  MessageId message_id;
  uint64_t registration_id = 0;
  friend auto operator<=>(const MessageRef&, const MessageRef&) = default;
};

// --- Family::kDevices: device id (16), kind (1), and what follows here.

std::string DeviceRecordKey(const DeviceId& device);                   // 'D'
// After all of a device, and before all of the next one.
std::string DeviceEnd(const DeviceId& device);
// After all of every device.
std::string DevicesEnd();
// What follows the kind in AppKey: the app id and, if there is one, a zero byte and the owner. No
// app id has a zero byte.
std::string InstalledAppName(absl::string_view app_id, absl::string_view owner);
// `owner`: RegisterAppRequest.owner.
std::string AppKey(const DeviceId& device, absl::string_view app_id,
                   absl::string_view owner = "");  // 'A'
// A living subscription, by the name that the device gave it.
std::string SubscriptionKey(const DeviceId& device, absl::string_view instance);  // 'U'
// Before and after all of a device.
std::string SubscriptionsFrom(const DeviceId& device);
std::string SubscriptionsEnd(const DeviceId& device);
std::string RegistrationKey(const DeviceId& device, uint64_t registration_id);  // 'R'
// Before and after all of a device.
std::string RegistrationsFrom(const DeviceId& device);
std::string RegistrationsEnd(const DeviceId& device);
// Of any key of the family.
bool IsRegistrationKey(absl::string_view key);
// REQUIRES: made by RegistrationKey.
uint64_t IdOfRegistrationKey(absl::string_view key);
// Messages and gap notices, in the order of seq.
std::string MailboxKey(const DeviceId& device, uint64_t seq);  // 'M'
// After the last of them.
std::string MailboxEnd(const DeviceId& device);
// Of any key of the family: whether the record is a message, in the mailbox or scheduled.
bool IsMessageKey(absl::string_view key);
uint64_t SeqOfMailboxKey(absl::string_view key);
std::string NowOrNeverKey(const DeviceId& device, uint64_t seq);  // 'N'
std::string NowOrNeverEnd(const DeviceId& device);
uint64_t SeqOfNowOrNeverKey(absl::string_view key);
// In the order of deliver_at.
std::string ScheduledKey(const DeviceId& device, int64_t deliver_at_ms,
                         const MessageRef& message);  // 'S'
// Before every key of this time and after all of earlier ones.
std::string ScheduledFrom(const DeviceId& device, int64_t deliver_at_ms);
int64_t TimeOfScheduledKey(absl::string_view key);
// A registration is subscribed to a topic.
std::string DeviceTopicKey(const DeviceId& device, uint64_t registration_id,
                           absl::string_view topic);  // 'T'
// Before and after all of a registration.
std::string DeviceTopicsFrom(const DeviceId& device, uint64_t registration_id);
std::string DeviceTopicsEnd(const DeviceId& device, uint64_t registration_id);
// REQUIRES: made by DeviceTopicKey.
absl::string_view TopicOfDeviceTopicKey(absl::string_view key);
std::string RecallKey(const DeviceId& device, const MessageRef& message);  // 'C'
// Before and after all of them.
std::string RecallsFrom(const DeviceId& device);
std::string RecallsEnd(const DeviceId& device);
// REQUIRES: made by RecallKey.
MessageRef MessageOfRecallKey(absl::string_view key);

// --- Family::kLives: device id (16), message id (16), registration (8).

std::string LifeKey(const DeviceId& device, const MessageRef& message);
// Before and after all of one message id, which lie beside each other.
std::string LifeFrom(const DeviceId& device, const MessageId& message_id);
std::string LifeEnd(const DeviceId& device, const MessageId& message_id);
// Before and after all of a device.
std::string LivesFrom(const DeviceId& device);
std::string LivesEnd(const DeviceId& device);
// REQUIRES: of the length that LifeKey makes.
MessageRef MessageOfLifeKey(absl::string_view key);
inline constexpr size_t kLifeKeySize = DeviceId::kSize + MessageId::kSize + 8;

// --- Family::kTimeline: time (8), device id (16), kind (1), and what it is about.

struct TimelineEntry {
  enum class Kind : char {
    // The life of a message that does not wait: it ends for want of word from the device, or its
    // receipts are forgotten.
    kLife = 'L',
    // Messages that wait for a registration expire.
    kExpiry = 'E',
    // A number of a now-or-never message.
    kNowOrNever = 'N',
    // A dead token is forgotten.
    kRegistration = 'R',
    // Scheduled messages are due.
    kScheduled = 'S',
    // The oldest receipts of a team's feed are forgotten.
    kFeed = 'F',
    // A registration that ended has topics left.
    kTopics = 'T',
    // A topic message is forgotten.
    kTopicMessage = 'P',
  };
  int64_t time_ms = 0;
  DeviceId device;
  Kind kind = Kind::kLife;
  // kLife: both of it. kExpiry, kRegistration, kTopics: the registration only. kTopicMessage: the
  // id only.
  MessageRef message;
  // kNowOrNever.
  uint64_t seq = 0;
  // kTopics; and kFeed, kTopicMessage, in which `device` is all zeros.
  std::string team_id;
};
std::string TimelineKey(const TimelineEntry& entry);
// Before every key of this time and after all of earlier ones.
std::string TimelineFrom(int64_t time_ms);
// nullopt for what TimelineKey did not make.
std::optional<TimelineEntry> ParseTimelineKey(absl::string_view key);

// --- Feeds. Registries that share a store have one each, in which they put the receipts of their
// devices and what these count. Feed 0, which is the only one of other stores, is named as the
// team. The name of another one is the team id and a byte of 0x80 + feed, and takes the team id's
// place in the keys of the feed, and in those of the numbers of topics and topic messages.

// One less than registries that can share a store.
inline constexpr uint32_t kMaxFeed = 31;
// REQUIRES: feed <= kMaxFeed.
std::string FeedName(absl::string_view team_id, uint32_t feed);
// 0 for a team id.
uint32_t FeedOfName(absl::string_view name);
// The length-prefixed name at the beginning of keys of kTeams, kFeeds and kTopics; empty: there is
// none.
absl::string_view TeamOfKey(absl::string_view key);

// --- Family::kTeams: length of the team id (1), team id, kind (1), and what follows here.

std::string TeamRecordKey(absl::string_view team_id);                         // 'T'
std::string TeamAppKey(absl::string_view team_id, absl::string_view app_id);  // 'A'
std::string TeamKeyKey(absl::string_view team_id, absl::string_view key_id);  // 'K'
// The team's feed of receipts. Here and not before its blocks: those lie in the order in which they
// are made, and RocksDB takes what comes in order as it is.
std::string FeedKey(absl::string_view team_id);  // 'F'
// Its quotas, and what each of its apps uses; an empty app: what the team uses.
std::string TeamQuotasKey(absl::string_view team_id);                           // 'Q'
std::string TeamUsageKey(absl::string_view team_id, absl::string_view app_id);  // 'S'
// After what every app of the team uses.
std::string TeamUsageEnd(absl::string_view team_id);
// REQUIRES: made by TeamUsageKey.
absl::string_view AppOfUsageKey(absl::string_view key);
// Before and after every app, or key, of the team.
std::string TeamAppsFrom(absl::string_view team_id);
std::string TeamAppsEnd(absl::string_view team_id);
std::string TeamKeysFrom(absl::string_view team_id);
std::string TeamKeysEnd(absl::string_view team_id);
// After all records of the team.
std::string TeamEnd(absl::string_view team_id);

// --- Family::kNames: kind (1), name.

std::string AppNameKey(absl::string_view app_id);  // 'A'
std::string KeyNameKey(absl::string_view key_id);  // 'K'
// The network's slot of the pool: its number (4), below kNetworkSlots.
std::string NetworkSlotKey(const NetworkId& network);  // 'N'
// A team, or an app of it, whose records are being taken away: team id, a zero byte, app id.
std::string DeletionKey(absl::string_view team_id, absl::string_view app_id);  // 'D'
// Before and after all of them.
std::string DeletionsFrom();
std::string DeletionsEnd();
struct DeletionName {
  std::string team_id;
  // Empty: the team itself.
  std::string app_id;
};
// nullopt for what DeletionKey did not make.
std::optional<DeletionName> ParseDeletionKey(absl::string_view key);
// What the payloads of the store are sealed with (registry/sealing/). The store's, and no name.
std::string PayloadKeysKey();  // 'P'
// A token that lets new devices in.
std::string EnrolmentKey(absl::string_view enrolment_id);  // 'E'
// Before and after all of them.
std::string EnrolmentsFrom();
std::string EnrolmentsEnd();
// How many devices the store has: one record.
std::string DeviceCountKey(uint32_t feed = 0);  // 'C'
// How many devices an enrolment token has let in at the registry of another feed than feed 0.
std::string EnrolmentUseKey(absl::string_view enrolment_id, uint32_t feed);  // 'U'
// The server's own: the quotas of all, and what all subscriptions use. No name follows the kind.
std::string ServerQuotasKey();       // 'Q'
std::string SubscriptionUsageKey(uint32_t feed = 0);  // 'S'
// Which feed's the number under this key is: 0 for all other keys of the family.
uint32_t FeedOfNameKey(absl::string_view key);
// Feeds beside feed 0 of a store that was shared once, and is not any more: a byte each.
std::string FeedsKey();  // 'F'

// --- Family::kOutbox: order of the commit (8), device id (16).

std::string OutboxKey(uint64_t order, const DeviceId& device);
// After every key of the family.
std::string OutboxEnd();
struct OutboxEntry {
  uint64_t order = 0;
  DeviceId device;
};
// nullopt for what OutboxKey did not make.
std::optional<OutboxEntry> ParseOutboxKey(absl::string_view key);

// --- Family::kFeeds: length of the team id (1), team id, kind (1), and what follows here.

// By the position of its last receipt: the first key from FeedBlockKey(p) on is the block of p.
std::string FeedBlockKey(absl::string_view team_id, uint64_t last_position);  // 'B'
// After every block of the team.
std::string FeedBlocksEnd(absl::string_view team_id);
// REQUIRES: made by FeedBlockKey.
uint64_t PositionOfFeedBlockKey(absl::string_view key);

// --- Family::kTopics: length of the team id (1), team id, kind (1), and what follows here. No
// topic's name has a zero byte (rpc/topic_name.h).

// A subscriber: topic, a zero byte, device id (16), registration (8).
std::string SubscriberKey(absl::string_view team_id, absl::string_view topic,
                          const DeviceId& device, uint64_t registration_id);  // 'S'
// Before and after all of a topic.
std::string SubscribersFrom(absl::string_view team_id, absl::string_view topic);
std::string SubscribersEnd(absl::string_view team_id, absl::string_view topic);
struct SubscriberEntry {
  DeviceId device;
  uint64_t registration_id = 0;
  friend auto operator<=>(const SubscriberEntry&, const SubscriberEntry&) = default;
};
// REQUIRES: made by SubscriberKey.
SubscriberEntry SubscriberOfKey(absl::string_view key);
bool IsSubscriberKey(absl::string_view key);
// The number of a topic's subscribers.
std::string TopicCountKey(absl::string_view team_id, absl::string_view topic);  // 'N'
// A topic that was made to stay.
std::string KeptTopicKey(absl::string_view team_id, absl::string_view topic);  // 'K'
// After every topic of the team.
std::string TopicCountsEnd(absl::string_view team_id);
std::string KeptTopicsEnd(absl::string_view team_id);
// REQUIRES: made by TopicCountKey or KeptTopicKey.
absl::string_view TopicOfKey(absl::string_view key);
std::string TeamTopicsKey(absl::string_view team_id);                                  // 'D'
// Of any key of the family.
bool IsTopicMessageKey(absl::string_view key);
std::string TopicMessageKey(absl::string_view team_id, const MessageId& message_id);   // 'M'
std::string FanOutKey(absl::string_view team_id, const MessageId& message_id);         // 'P'
// Before and after every key of the team.
std::string TeamTopicsFrom(absl::string_view team_id);
std::string TeamTopicsEnd(absl::string_view team_id);
// Of any key of the family: the message of a fan-out. nullopt: it is none.
std::optional<MessageId> MessageOfFanOutKey(absl::string_view key);
std::string TopicStepsKey(absl::string_view team_id, const MessageId& message_id);     // 'C'

// Fan-outs that have not ended, of all teams, before every team's keys: a zero byte (no team's id
// is empty), time (8), message id (16), team id.
struct OpenFanOut {
  int64_t created_at_ms = 0;
  MessageId message_id;
  std::string team_id;
  friend auto operator<=>(const OpenFanOut&, const OpenFanOut&) = default;
};
std::string OpenFanOutKey(const OpenFanOut& fan_out);
// After all of them.
std::string OpenFanOutsEnd();
// nullopt for what OpenFanOutKey did not make.
std::optional<OpenFanOut> ParseOpenFanOutKey(absl::string_view key);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_KEYS_KEYS_H_
