#include "registry/check/check_topics.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/ids.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

using storage::v1::FanOut;
using storage::v1::Registration;
using storage::v1::TopicCount;
using storage::v1::TopicMessage;

constexpr size_t kNumber = 8;
constexpr size_t kSubscriber = DeviceId::kSize + kNumber;

std::string TopicName(absl::string_view team_id, absl::string_view topic) {
  return absl::StrCat("topic ", absl::CHexEscape(topic), " of ", TeamName(team_id));
}

std::string MessageName(absl::string_view team_id, const MessageId& id) {
  return absl::StrCat("topic message ", FormatUuid(id), " of ", TeamName(team_id));
}

}  // namespace

bool TopicsCheck::Exists(Family family, absl::string_view key) const {
  const auto found = reader_.Get(family, key);
  return !found.ok() || found->has_value();
}

void TopicsCheck::NotePending(const storage::v1::Outbox& outbox) {
  for (const storage::v1::OutboxTopic& topic : outbox.topics()) {
    pending_[{topic.team_id(), topic.topic()}] += topic.change();
  }
}

int64_t TopicsCheck::PendingOf(const std::string& team_id, absl::string_view topic) const {
  const auto it = pending_.find({team_id, std::string(topic)});
  return it == pending_.end() ? 0 : it->second;
}

void TopicsCheck::Take(absl::string_view key, absl::string_view value) {
  if (key < OpenFanOutsEnd()) return TakeOpen(key);
  const std::optional<TeamsKey> parsed = ParseTeamsKey(key);
  if (!parsed.has_value()) {
    report_.Count(RecordKind::kUnknown);
    report_.Add(absl::StrCat("key ", absl::BytesToHexString(key), " of the topics"),
                "it is no team's");
    return;
  }
  switch (parsed->kind) {
    case 'S':
      return TakeSubscriber(*parsed, value);
    case 'N':
      return TakeCount(*parsed, value);
    case 'K':
      return TakeKept(*parsed, value);
    case 'D': {
      report_.Count(RecordKind::kTopic);
      const auto team = ParseRecord<storage::v1::TeamTopics>(value);
      if (!team.ok()) {
        report_.Add(TeamName(parsed->team_id), "what it has of topics can't be parsed");
      } else {
        kept_[parsed->team_id].said = team->kept_topics();
      }
      return;
    }
    case 'M':
      return TakeMessage(*parsed, value);
    case 'P':
      return TakeFanOut(*parsed, value);
    case 'C': {
      report_.Count(RecordKind::kTopicMessage);
      const auto id = MessageId::FromBytes(parsed->rest);
      if (!id.has_value() || !ParseRecord<storage::v1::TopicSteps>(value).ok()) {
        report_.Add(TeamName(parsed->team_id), "the counts of a topic message can't be parsed");
      } else if (FeedOfName(parsed->team_id) == 0 &&
                 !Exists(Family::kTopics, FanOutKey(parsed->team_id, *id))) {
        report_.Add(MessageName(parsed->team_id, *id), "has counts and no fan-out");
      }
      return;
    }
    default:
      report_.Count(RecordKind::kUnknown);
  }
}

void TopicsCheck::TakeOpen(absl::string_view key) {
  report_.Count(RecordKind::kTopicMessage);
  const std::optional<OpenFanOut> open = ParseOpenFanOutKey(key);
  if (!open.has_value()) {
    report_.Add(absl::StrCat("key ", absl::BytesToHexString(key), " of the topics"),
                "it is no fan-out's");
    return;
  }
  const auto fan_out =
      GetRecord<FanOut>(reader_, Family::kTopics, FanOutKey(open->team_id, open->message_id));
  if (fan_out.ok() && (!fan_out->has_value() || (*fan_out)->ended_at_ms() != 0)) {
    report_.Add(MessageName(open->team_id, open->message_id),
                "is listed as one that is being sent, and is not");
  }
}

void TopicsCheck::TakeSubscriber(const TeamsKey& key, absl::string_view value) {
  report_.Count(RecordKind::kSubscriber);
  if (key.rest.size() < kSubscriber + 2 || key.rest[key.rest.size() - kSubscriber - 1] != '\0') {
    report_.Add(TeamName(key.team_id), "the key of a subscriber can't be parsed");
    return;
  }
  const absl::string_view topic = key.rest.substr(0, key.rest.size() - kSubscriber - 1);
  if (topic != topic_ || key.team_id != team_id_) {
    JudgeCount();
    team_id_ = key.team_id;
    topic_ = std::string(topic);
  }
  ++subscribers_;
  const SubscriberEntry entry = SubscriberOfKey(key.rest);
  if (!Exists(Family::kDevices, DeviceTopicKey(entry.device, entry.registration_id, topic))) {
    report_.Add(TopicName(key.team_id, topic),
                absl::StrCat("lists device ", ToHex(entry.device),
                             " as a subscriber, which has no record of that"));
    return;
  }
  const auto registration = GetRecord<Registration>(
      reader_, Family::kDevices, RegistrationKey(entry.device, entry.registration_id));
  if (registration.ok() && registration->has_value() && (*registration)->app_id() != value) {
    report_.Add(TopicName(key.team_id, topic), absl::StrCat("lists device ", ToHex(entry.device),
                                                            " as a subscriber of another app"));
  }
}

void TopicsCheck::JudgeCount() {
  if (topic_.empty()) return;
  const int64_t found = std::exchange(subscribers_, 0);
  if (feeds_.empty()) return;
  int64_t said = 0;
  for (const uint32_t feed : feeds_) {
    const auto count = GetRecord<TopicCount>(reader_, Family::kTopics,
                                             TopicCountKey(FeedName(team_id_, feed), topic_));
    if (!count.ok()) return;
    if (count->has_value()) said += static_cast<int64_t>((*count)->subscribers());
  }
  if (said + PendingOf(team_id_, topic_) != found) {
    report_.Add(TopicName(team_id_, topic_),
                absl::StrCat("counts ", said, " subscribers and has ", found));
  }
}

void TopicsCheck::TakeCount(const TeamsKey& key, absl::string_view value) {
  report_.Count(RecordKind::kTopic);
  const auto count = ParseRecord<TopicCount>(value);
  if (!count.ok() || count->subscribers() == 0) {
    report_.Add(TopicName(key.team_id, key.rest), "the number of its subscribers can't be parsed");
    return;
  }
  // Of several feeds one may have what another one lacks.
  if (feeds_.size() != 1) return;
  bool has_subscribers = false;
  const absl::Status status = reader_.Scan(Family::kTopics, SubscribersFrom(key.team_id, key.rest),
                                           SubscribersEnd(key.team_id, key.rest),
                                           [&](absl::string_view, absl::string_view) {
                                             has_subscribers = true;
                                             return false;
                                           });
  // With subscribers it is judged when they come.
  if (!status.ok() || has_subscribers) return;
  if (static_cast<int64_t>(count->subscribers()) + PendingOf(key.team_id, key.rest) != 0) {
    report_.Add(TopicName(key.team_id, key.rest),
                absl::StrCat("counts ", count->subscribers(), " subscribers and has none"));
  }
}

void TopicsCheck::TakeKept(const TeamsKey& key, absl::string_view value) {
  report_.Count(RecordKind::kTopic);
  ++kept_[key.team_id].found;
  const auto topic = ParseRecord<internal::v1::KeptTopic>(value);
  if (!topic.ok() || topic->team_id() != key.team_id || topic->name() != key.rest) {
    report_.Add(TopicName(key.team_id, key.rest), "its record can't be parsed, or is another's");
  }
  if (!Exists(Family::kTeams, TeamRecordKey(key.team_id))) {
    report_.Add(TopicName(key.team_id, key.rest), "the team is not known");
  }
}

void TopicsCheck::TakeMessage(const TeamsKey& key, absl::string_view value) {
  report_.Count(RecordKind::kTopicMessage);
  const auto id = MessageId::FromBytes(key.rest);
  const auto message = ParseRecord<TopicMessage>(value);
  if (!id.has_value() || !message.ok() || message->request().message_id() != key.rest ||
      message->request().team_id() != key.team_id) {
    report_.Add(TeamName(key.team_id), "a topic message can't be parsed, or is another's");
    return;
  }
  if (!Exists(Family::kTeams, TeamRecordKey(key.team_id))) {
    report_.Add(MessageName(key.team_id, *id), "the team is not known");
  }
  const auto fan_out = GetRecord<FanOut>(reader_, Family::kTopics, FanOutKey(key.team_id, *id));
  if (!fan_out.ok()) return;
  if (!fan_out->has_value()) {
    report_.Add(MessageName(key.team_id, *id), "has no fan-out");
  } else if ((*fan_out)->ended_at_ms() == 0 &&
             !Exists(Family::kTopics,
                     OpenFanOutKey({message->created_at_ms(), *id, key.team_id}))) {
    report_.Add(MessageName(key.team_id, *id), "has not ended, and nobody would send it");
  }
}

void TopicsCheck::TakeFanOut(const TeamsKey& key, absl::string_view value) {
  report_.Count(RecordKind::kTopicMessage);
  const auto id = MessageId::FromBytes(key.rest);
  const auto fan_out = ParseRecord<FanOut>(value);
  if (!id.has_value() || !fan_out.ok()) {
    report_.Add(TeamName(key.team_id), "a fan-out can't be parsed");
    return;
  }
  if (!Exists(Family::kTopics, TopicMessageKey(key.team_id, *id))) {
    report_.Add(MessageName(key.team_id, *id), "has a fan-out and no message");
  }
  if (!Exists(Family::kTimeline, TimelineKey({.time_ms = fan_out->wake_at_ms(),
                                              .kind = TimelineEntry::Kind::kTopicMessage,
                                              .message = {.message_id = *id},
                                              .team_id = key.team_id}))) {
    report_.Add(MessageName(key.team_id, *id), "nothing in the timeline will forget it");
  }
}

void TopicsCheck::Judge() {
  JudgeCount();
  for (const auto& [team_id, kept] : kept_) {
    if (kept.found != kept.said) {
      report_.Add(TeamName(team_id),
                  absl::StrCat("counts ", kept.said, " topics that stay and has ", kept.found));
    }
  }
  // Of topics without any record yet.
  if (feeds_.size() != 1) return;
  for (const auto& [topic, change] : pending_) {
    if (change < 0 && !Exists(Family::kTopics, TopicCountKey(topic.first, topic.second))) {
      report_.Add(TopicName(topic.first, topic.second), "loses more subscribers than it has");
    }
  }
}

}  // namespace bellwire::registry
