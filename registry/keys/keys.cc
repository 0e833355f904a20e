#include "registry/keys/keys.h"

#include <algorithm>
#include <array>

#include "common/limits.h"

namespace bellwire::registry {
namespace {

constexpr size_t kId = DeviceId::kSize;
constexpr size_t kNumber = 8;

std::string DeviceKey(const DeviceId& device, char kind) {
  std::string key;
  // Of all but the keys with an app id, the longest.
  key.reserve(kId + 1 + kNumber + MessageId::kSize + kNumber);
  key.append(device.bytes().data(), kId);
  key.push_back(kind);
  return key;
}

void AppendMessage(const MessageRef& message, std::string* out) {
  out->append(message.message_id.bytes().data(), MessageId::kSize);
  AppendBigEndian64(message.registration_id, out);
}

std::string TeamKey(absl::string_view team_id, char kind) {
  std::string key(1, static_cast<char>(team_id.size()));
  key.append(team_id.data(), team_id.size());
  key.push_back(kind);
  return key;
}

std::string WithName(std::string key, absl::string_view name) {
  key.append(name.data(), name.size());
  return key;
}

}  // namespace

void AppendBigEndian64(uint64_t value, std::string* out) {
  std::array<char, kNumber> bytes;
  for (char& byte : bytes) {
    byte = static_cast<char>(value >> 56);
    value <<= 8;
  }
  out->append(bytes.data(), bytes.size());
}

uint64_t ParseBigEndian64(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

uint64_t NumbersOfStart(absl::Time start, uint64_t before) {
  const int64_t us = std::max<int64_t>(0, absl::ToUnixMicros(start));
  return std::max(static_cast<uint64_t>(us), before + 1);
}

int64_t ToStoredMs(absl::Time time) { return std::max<int64_t>(0, absl::ToUnixMillis(time)); }

std::string DeviceRecordKey(const DeviceId& device) { return DeviceKey(device, 'D'); }

// No kind has this byte.
std::string DeviceEnd(const DeviceId& device) { return DeviceKey(device, '\xff'); }

std::string DevicesEnd() { return std::string(kId + 2, '\xff'); }

std::string InstalledAppName(absl::string_view app_id, absl::string_view owner) {
  std::string name(app_id);
  if (owner.empty()) return name;
  name.push_back('\0');
  return name.append(owner.data(), owner.size());
}

std::string AppKey(const DeviceId& device, absl::string_view app_id, absl::string_view owner) {
  return WithName(DeviceKey(device, 'A'), InstalledAppName(app_id, owner));
}

std::string SubscriptionKey(const DeviceId& device, absl::string_view instance) {
  return WithName(DeviceKey(device, 'U'), instance);
}

std::string SubscriptionsFrom(const DeviceId& device) { return DeviceKey(device, 'U'); }
std::string SubscriptionsEnd(const DeviceId& device) { return DeviceKey(device, 'U' + 1); }

std::string RegistrationKey(const DeviceId& device, uint64_t registration_id) {
  std::string key = DeviceKey(device, 'R');
  AppendBigEndian64(registration_id, &key);
  return key;
}

std::string RegistrationsFrom(const DeviceId& device) { return DeviceKey(device, 'R'); }
std::string RegistrationsEnd(const DeviceId& device) { return DeviceKey(device, 'R' + 1); }

bool IsRegistrationKey(absl::string_view key) {
  return key.size() == kId + 1 + kNumber && key[kId] == 'R';
}

uint64_t IdOfRegistrationKey(absl::string_view key) {
  return ParseBigEndian64(key.substr(kId + 1));
}

bool IsMessageKey(absl::string_view key) {
  return key.size() > kId && (key[kId] == 'M' || key[kId] == 'S');
}

std::string MailboxKey(const DeviceId& device, uint64_t seq) {
  std::string key = DeviceKey(device, 'M');
  AppendBigEndian64(seq, &key);
  return key;
}

std::string MailboxEnd(const DeviceId& device) { return DeviceKey(device, 'M' + 1); }

uint64_t SeqOfMailboxKey(absl::string_view key) { return ParseBigEndian64(key.substr(kId + 1)); }

std::string NowOrNeverKey(const DeviceId& device, uint64_t seq) {
  std::string key = DeviceKey(device, 'N');
  AppendBigEndian64(seq, &key);
  return key;
}

std::string NowOrNeverEnd(const DeviceId& device) { return DeviceKey(device, 'N' + 1); }

uint64_t SeqOfNowOrNeverKey(absl::string_view key) { return SeqOfMailboxKey(key); }

std::string ScheduledKey(const DeviceId& device, int64_t deliver_at_ms, const MessageRef& message) {
  std::string key = ScheduledFrom(device, deliver_at_ms);
  AppendMessage(message, &key);
  return key;
}

std::string ScheduledFrom(const DeviceId& device, int64_t deliver_at_ms) {
  std::string key = DeviceKey(device, 'S');
  AppendBigEndian64(static_cast<uint64_t>(deliver_at_ms), &key);
  return key;
}

int64_t TimeOfScheduledKey(absl::string_view key) {
  return static_cast<int64_t>(ParseBigEndian64(key.substr(kId + 1, kNumber)));
}

std::string DeviceTopicKey(const DeviceId& device, uint64_t registration_id,
                           absl::string_view topic) {
  return WithName(DeviceTopicsFrom(device, registration_id), topic);
}

std::string DeviceTopicsFrom(const DeviceId& device, uint64_t registration_id) {
  std::string key = DeviceKey(device, 'T');
  AppendBigEndian64(registration_id, &key);
  return key;
}

std::string DeviceTopicsEnd(const DeviceId& device, uint64_t registration_id) {
  // No name begins with it.
  return DeviceTopicsFrom(device, registration_id) + '\xff';
}

absl::string_view TopicOfDeviceTopicKey(absl::string_view key) {
  return key.substr(kId + 1 + kNumber);
}

std::string RecallKey(const DeviceId& device, const MessageRef& message) {
  std::string key = RecallsFrom(device);
  AppendMessage(message, &key);
  return key;
}

std::string RecallsFrom(const DeviceId& device) { return DeviceKey(device, 'C'); }
std::string RecallsEnd(const DeviceId& device) { return DeviceKey(device, 'C' + 1); }

MessageRef MessageOfRecallKey(absl::string_view key) {
  const absl::string_view message = key.substr(kId + 1);
  return {*MessageId::FromBytes(message.substr(0, MessageId::kSize)),
          ParseBigEndian64(message.substr(MessageId::kSize))};
}

std::string LifeKey(const DeviceId& device, const MessageRef& message) {
  std::string key;
  key.reserve(kLifeKeySize);
  key.append(device.bytes().data(), kId);
  AppendMessage(message, &key);
  return key;
}

std::string LifeFrom(const DeviceId& device, const MessageId& message_id) {
  return LifeKey(device, {message_id, 0});
}

std::string LifeEnd(const DeviceId& device, const MessageId& message_id) {
  // One byte longer than the last key there can be.
  return LifeKey(device, {message_id, UINT64_MAX}) + '\0';
}

std::string LivesFrom(const DeviceId& device) { return std::string(device.bytes()); }

std::string LivesEnd(const DeviceId& device) {
  std::array<uint8_t, MessageId::kSize> last;
  last.fill(0xff);
  return LifeEnd(device, MessageId(last));
}

MessageRef MessageOfLifeKey(absl::string_view key) {
  const absl::string_view message = key.substr(kId);
  return {*MessageId::FromBytes(message.substr(0, MessageId::kSize)),
          ParseBigEndian64(message.substr(MessageId::kSize))};
}

std::string TimelineKey(const TimelineEntry& entry) {
  std::string key = TimelineFrom(entry.time_ms);
  key.append(entry.device.bytes().data(), kId);
  key.push_back(static_cast<char>(entry.kind));
  switch (entry.kind) {
    case TimelineEntry::Kind::kLife:
      AppendMessage(entry.message, &key);
      break;
    case TimelineEntry::Kind::kNowOrNever:
      AppendBigEndian64(entry.seq, &key);
      break;
    case TimelineEntry::Kind::kExpiry:
    case TimelineEntry::Kind::kRegistration:
      AppendBigEndian64(entry.message.registration_id, &key);
      break;
    case TimelineEntry::Kind::kScheduled:
      break;
    case TimelineEntry::Kind::kFeed:
      key += entry.team_id;
      break;
    case TimelineEntry::Kind::kTopics:
      AppendBigEndian64(entry.message.registration_id, &key);
      key += entry.team_id;
      break;
    case TimelineEntry::Kind::kTopicMessage:
      key.append(entry.message.message_id.bytes().data(), MessageId::kSize);
      key += entry.team_id;
      break;
  }
  return key;
}

std::string TimelineFrom(int64_t time_ms) {
  std::string key;
  AppendBigEndian64(static_cast<uint64_t>(time_ms), &key);
  return key;
}

std::optional<TimelineEntry> ParseTimelineKey(absl::string_view key) {
  constexpr size_t kHead = kNumber + kId + 1;
  if (key.size() < kHead) return std::nullopt;
  TimelineEntry entry;
  entry.time_ms = static_cast<int64_t>(ParseBigEndian64(key.substr(0, kNumber)));
  entry.device = *DeviceId::FromBytes(key.substr(kNumber, kId));
  entry.kind = static_cast<TimelineEntry::Kind>(key[kHead - 1]);
  const absl::string_view rest = key.substr(kHead);
  switch (entry.kind) {
    case TimelineEntry::Kind::kLife:
      if (rest.size() != MessageId::kSize + kNumber) return std::nullopt;
      entry.message = {*MessageId::FromBytes(rest.substr(0, MessageId::kSize)),
                       ParseBigEndian64(rest.substr(MessageId::kSize))};
      return entry;
    case TimelineEntry::Kind::kNowOrNever:
      if (rest.size() != kNumber) return std::nullopt;
      entry.seq = ParseBigEndian64(rest);
      return entry;
    case TimelineEntry::Kind::kExpiry:
    case TimelineEntry::Kind::kRegistration:
      if (rest.size() != kNumber) return std::nullopt;
      entry.message.registration_id = ParseBigEndian64(rest);
      return entry;
    case TimelineEntry::Kind::kScheduled:
      if (!rest.empty()) return std::nullopt;
      return entry;
    case TimelineEntry::Kind::kFeed:
      if (rest.empty()) return std::nullopt;
      entry.team_id = std::string(rest);
      return entry;
    case TimelineEntry::Kind::kTopics:
      if (rest.size() <= kNumber) return std::nullopt;
      entry.message.registration_id = ParseBigEndian64(rest.substr(0, kNumber));
      entry.team_id = std::string(rest.substr(kNumber));
      return entry;
    case TimelineEntry::Kind::kTopicMessage:
      if (rest.size() <= MessageId::kSize) return std::nullopt;
      entry.message.message_id = *MessageId::FromBytes(rest.substr(0, MessageId::kSize));
      entry.team_id = std::string(rest.substr(MessageId::kSize));
      return entry;
  }
  return std::nullopt;
}

std::string FeedName(absl::string_view team_id, uint32_t feed) {
  std::string name(team_id);
  if (feed != 0) name.push_back(static_cast<char>(0x80 + feed));
  return name;
}

uint32_t FeedOfName(absl::string_view name) {
  const uint8_t last = name.empty() ? 0 : static_cast<uint8_t>(name.back());
  return last > 0x80 && last <= 0x80 + kMaxFeed ? last - 0x80 : 0;
}

absl::string_view TeamOfKey(absl::string_view key) {
  const size_t size = key.empty() ? 0 : static_cast<uint8_t>(key.front());
  return size < key.size() ? key.substr(1, size) : absl::string_view();
}

std::string TeamRecordKey(absl::string_view team_id) { return TeamKey(team_id, 'T'); }
std::string TeamAppKey(absl::string_view team_id, absl::string_view app_id) {
  return WithName(TeamAppsFrom(team_id), app_id);
}
std::string TeamKeyKey(absl::string_view team_id, absl::string_view key_id) {
  return WithName(TeamKeysFrom(team_id), key_id);
}
std::string TeamAppsFrom(absl::string_view team_id) { return TeamKey(team_id, 'A'); }
std::string TeamAppsEnd(absl::string_view team_id) { return TeamKey(team_id, 'A' + 1); }
std::string TeamKeysFrom(absl::string_view team_id) { return TeamKey(team_id, 'K'); }
std::string TeamKeysEnd(absl::string_view team_id) { return TeamKey(team_id, 'K' + 1); }
std::string TeamQuotasKey(absl::string_view team_id) { return TeamKey(team_id, 'Q'); }
std::string TeamUsageKey(absl::string_view team_id, absl::string_view app_id) {
  return WithName(TeamKey(team_id, 'S'), app_id);
}
std::string TeamUsageEnd(absl::string_view team_id) { return TeamKey(team_id, 'S' + 1); }
absl::string_view AppOfUsageKey(absl::string_view key) {
  return key.substr(1 + static_cast<uint8_t>(key[0]) + 1);
}
std::string TeamEnd(absl::string_view team_id) { return TeamKey(team_id, 'T' + 1); }

std::string AppNameKey(absl::string_view app_id) { return WithName("A", app_id); }
std::string KeyNameKey(absl::string_view key_id) { return WithName("K", key_id); }

std::string ServerQuotasKey() { return "Q"; }
std::string SubscriptionUsageKey(uint32_t feed) { return FeedName("S", feed); }

std::string NetworkSlotKey(const NetworkId& network) {
  uint32_t slot = 0;
  for (const char c : network.bytes().substr(0, 4)) slot = slot << 8 | static_cast<uint8_t>(c);
  slot %= kNetworkSlots;
  std::string key = "N";
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(slot >> shift));
  return key;
}

std::string DeletionKey(absl::string_view team_id, absl::string_view app_id) {
  std::string key = WithName("D", team_id);
  key.push_back('\0');
  return WithName(std::move(key), app_id);
}
std::string DeletionsFrom() { return "D"; }
std::string DeletionsEnd() { return "E"; }

std::optional<DeletionName> ParseDeletionKey(absl::string_view key) {
  const size_t end = key.find('\0');
  if (key.empty() || key[0] != 'D' || end == absl::string_view::npos || end < 2) {
    return std::nullopt;
  }
  return DeletionName{std::string(key.substr(1, end - 1)), std::string(key.substr(end + 1))};
}

std::string PayloadKeysKey() { return "P"; }

std::string EnrolmentKey(absl::string_view enrolment_id) { return WithName("E", enrolment_id); }
std::string EnrolmentsFrom() { return "E"; }
std::string EnrolmentsEnd() { return "F"; }

std::string DeviceCountKey(uint32_t feed) { return FeedName("C", feed); }
std::string EnrolmentUseKey(absl::string_view enrolment_id, uint32_t feed) {
  return WithName(FeedName("U", feed), enrolment_id);
}
uint32_t FeedOfNameKey(absl::string_view key) {
  const char kind = key.empty() ? '\0' : key.front();
  const bool is_number = (kind == 'C' || kind == 'S') && key.size() == 2;
  return is_number || kind == 'U' ? FeedOfName(key.substr(0, 2)) : 0;
}
std::string FeedsKey() { return "F"; }

std::string OutboxKey(uint64_t order, const DeviceId& device) {
  std::string key;
  AppendBigEndian64(order, &key);
  key.append(device.bytes().data(), kId);
  return key;
}

std::string OutboxEnd() { return std::string(kNumber + kId + 1, '\xff'); }

std::optional<OutboxEntry> ParseOutboxKey(absl::string_view key) {
  if (key.size() != kNumber + kId) return std::nullopt;
  return OutboxEntry{ParseBigEndian64(key.substr(0, kNumber)),
                     *DeviceId::FromBytes(key.substr(kNumber))};
}

std::string FeedKey(absl::string_view team_id) { return TeamKey(team_id, 'F'); }

std::string FeedBlockKey(absl::string_view team_id, uint64_t last_position) {
  std::string key = TeamKey(team_id, 'B');
  AppendBigEndian64(last_position, &key);
  return key;
}

std::string FeedBlocksEnd(absl::string_view team_id) { return TeamKey(team_id, 'B' + 1); }

uint64_t PositionOfFeedBlockKey(absl::string_view key) {
  return ParseBigEndian64(key.substr(key.size() - kNumber));
}

std::string SubscriberKey(absl::string_view team_id, absl::string_view topic,
                          const DeviceId& device, uint64_t registration_id) {
  std::string key = SubscribersFrom(team_id, topic);
  key.append(device.bytes().data(), kId);
  AppendBigEndian64(registration_id, &key);
  return key;
}

std::string SubscribersFrom(absl::string_view team_id, absl::string_view topic) {
  std::string key = WithName(TeamKey(team_id, 'S'), topic);
  key.push_back('\0');
  return key;
}

std::string SubscribersEnd(absl::string_view team_id, absl::string_view topic) {
  std::string key = WithName(TeamKey(team_id, 'S'), topic);
  key.push_back('\1');
  return key;
}

SubscriberEntry SubscriberOfKey(absl::string_view key) {
  const absl::string_view entry = key.substr(key.size() - kId - kNumber);
  return {*DeviceId::FromBytes(entry.substr(0, kId)), ParseBigEndian64(entry.substr(kId))};
}

bool IsSubscriberKey(absl::string_view key) {
  const size_t kind = 1 + TeamOfKey(key).size();
  return kind > 1 && key.size() > kind + 1 + kId + kNumber && key[kind] == 'S';
}

std::string TopicCountKey(absl::string_view team_id, absl::string_view topic) {
  return WithName(TeamKey(team_id, 'N'), topic);
}
std::string KeptTopicKey(absl::string_view team_id, absl::string_view topic) {
  return WithName(TeamKey(team_id, 'K'), topic);
}
std::string TopicCountsEnd(absl::string_view team_id) { return TeamKey(team_id, 'N' + 1); }
std::string KeptTopicsEnd(absl::string_view team_id) { return TeamKey(team_id, 'K' + 1); }
absl::string_view TopicOfKey(absl::string_view key) {
  return key.substr(1 + static_cast<uint8_t>(key[0]) + 1);
}
std::string TeamTopicsKey(absl::string_view team_id) { return TeamKey(team_id, 'D'); }
bool IsTopicMessageKey(absl::string_view key) {
  // Before every team's keys lie others, which begin with a zero.
  const size_t kind = key.empty() || key[0] == '\0' ? 0 : 1 + static_cast<uint8_t>(key[0]);
  return kind != 0 && key.size() > kind && key[kind] == 'M';
}
std::string TopicMessageKey(absl::string_view team_id, const MessageId& message_id) {
  return WithName(TeamKey(team_id, 'M'), message_id.bytes());
}
std::string FanOutKey(absl::string_view team_id, const MessageId& message_id) {
  return WithName(TeamKey(team_id, 'P'), message_id.bytes());
}
std::string TeamTopicsFrom(absl::string_view team_id) { return TeamKey(team_id, '\0'); }
std::string TeamTopicsEnd(absl::string_view team_id) { return TeamKey(team_id, '\xff'); }
std::optional<MessageId> MessageOfFanOutKey(absl::string_view key) {
  const size_t kind = key.empty() || key[0] == '\0' ? 0 : 1 + static_cast<uint8_t>(key[0]);
  if (kind == 0 || key.size() != kind + 1 + MessageId::kSize || key[kind] != 'P') {
    return std::nullopt;
  }
  return MessageId::FromBytes(key.substr(kind + 1));
}
std::string TopicStepsKey(absl::string_view team_id, const MessageId& message_id) {
  return WithName(TeamKey(team_id, 'C'), message_id.bytes());
}

std::string OpenFanOutKey(const OpenFanOut& fan_out) {
  std::string key(1, '\0');
  AppendBigEndian64(static_cast<uint64_t>(fan_out.created_at_ms), &key);
  key.append(fan_out.message_id.bytes().data(), MessageId::kSize);
  return key + fan_out.team_id;
}

std::string OpenFanOutsEnd() { return std::string(1, '\1'); }

std::optional<OpenFanOut> ParseOpenFanOutKey(absl::string_view key) {
  constexpr size_t kHead = 1 + kNumber + MessageId::kSize;
  if (key.size() <= kHead || key[0] != '\0') return std::nullopt;
  return OpenFanOut{static_cast<int64_t>(ParseBigEndian64(key.substr(1, kNumber))),
                    *MessageId::FromBytes(key.substr(1 + kNumber, MessageId::kSize)),
                    std::string(key.substr(kHead))};
}

}  // namespace bellwire::registry
