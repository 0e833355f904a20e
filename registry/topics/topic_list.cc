#include "registry/topics/topic_list.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

using internal::v1::KeptTopic;
using internal::v1::PutTopicRequest;
using storage::v1::TeamTopics;
using storage::v1::TopicCount;

absl::Status TopicList::Count(absl::string_view topic, int64_t change) {
  if (change == 0) return absl::OkStatus();
  const std::string key = TopicCountKey(team_id_, topic);
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<TopicCount> before,
                            GetRecord<TopicCount>(*overlay_, Family::kTopics, key));
  const int64_t subscribers =
      (before.has_value() ? static_cast<int64_t>(before->subscribers()) : 0) + change;
  if (subscribers < 0) {
    return StoreCorruptError(absl::StrCat("topic ", topic, " counts fewer subscribers than none"));
  }
  if (before.has_value() != (subscribers != 0)) {
    BELLWIRE_RETURN_IF_ERROR(CountTopics(before.has_value() ? -1 : +1).status());
  }
  if (subscribers == 0) {
    overlay_->Delete(Family::kTopics, key);
    return absl::OkStatus();
  }
  TopicCount count;
  count.set_subscribers(static_cast<uint64_t>(subscribers));
  overlay_->Put(Family::kTopics, key, count.SerializeAsString());
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> TopicList::Subscribers(absl::string_view topic) const {
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::optional<TopicCount> count,
      GetRecord<TopicCount>(*overlay_, Family::kTopics, TopicCountKey(team_id_, topic)));
  return count.has_value() ? count->subscribers() : 0;
}

absl::StatusOr<internal::v1::ListTopicsResponse> TopicList::List(absl::string_view after,
                                                                 size_t max, bool kept_only) const {
  max = std::clamp<size_t>(max, 1, kMaxListedTopics);
  // One more than asked for, of both kinds: the first `max` of both together are among these.
  absl::btree_map<std::string, uint64_t> found;
  absl::Status status;
  const auto take = [&](std::string from, const std::string& to, auto subscribers_of) {
    if (!after.empty()) from.push_back('\0');
    size_t taken = 0;
    status.Update(overlay_->Scan(Family::kTopics, from, to,
                                 [&](absl::string_view key, absl::string_view value) {
                                   found[std::string(TopicOfKey(key))] += subscribers_of(value);
                                   return status.ok() && ++taken <= max;
                                 }));
  };
  take(KeptTopicKey(team_id_, after), KeptTopicsEnd(team_id_),
       [](absl::string_view) { return uint64_t{0}; });
  if (!kept_only) {
    take(TopicCountKey(team_id_, after), TopicCountsEnd(team_id_), [&](absl::string_view value) {
      const auto count = ParseRecord<TopicCount>(value);
      status.Update(count.status());
      return count.ok() ? count->subscribers() : 0;
    });
  }
  BELLWIRE_RETURN_IF_ERROR(status);
  internal::v1::ListTopicsResponse response;
  for (const auto& [name, subscribers] : found) {
    if (static_cast<size_t>(response.topics_size()) == max) {
      response.set_more(true);
      break;
    }
    push::v1::Topic* topic = response.add_topics();
    topic->set_name(name);
    topic->set_subscribers(static_cast<int64_t>(subscribers));
  }
  if (!kept_only) return response;
  for (push::v1::Topic& topic : *response.mutable_topics()) {
    BELLWIRE_ASSIGN_OR_RETURN(const uint64_t subscribers, Subscribers(topic.name()));
    topic.set_subscribers(static_cast<int64_t>(subscribers));
  }
  return response;
}

absl::StatusOr<uint32_t> TopicList::CountTopics(int change) {
  const std::string key = TeamTopicsKey(team_id_);
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<TeamTopics> found,
                            GetRecord<TeamTopics>(*overlay_, Family::kTopics, key));
  TeamTopics team = std::move(found).value_or(TeamTopics());
  if (!team.has_topics()) {
    // Once for each team of a store that is older than the count.
    uint32_t topics = 0;
    BELLWIRE_RETURN_IF_ERROR(overlay_->Scan(Family::kTopics, TopicCountKey(team_id_, ""),
                                            TopicCountsEnd(team_id_),
                                            [&](absl::string_view, absl::string_view) {
                                              ++topics;
                                              return true;
                                            }));
    team.set_topics(topics);
  }
  team.set_topics(team.topics() + static_cast<uint32_t>(change));
  if (change != 0) overlay_->Put(Family::kTopics, key, team.SerializeAsString());
  return team.topics();
}

absl::StatusOr<uint32_t> TopicList::CountKept(int change) {
  const std::string key = TeamTopicsKey(team_id_);
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<TeamTopics> found,
                            GetRecord<TeamTopics>(*overlay_, Family::kTopics, key));
  TeamTopics team = std::move(found).value_or(TeamTopics());
  team.set_kept_topics(team.kept_topics() + static_cast<uint32_t>(change));
  if (change != 0) overlay_->Put(Family::kTopics, key, team.SerializeAsString());
  return team.kept_topics();
}

absl::StatusOr<KeptTopic> TopicList::Put(const PutTopicRequest& request, int64_t now_ms) {
  const std::string key = KeptTopicKey(team_id_, request.topic().name());
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<KeptTopic> present,
                            GetRecord<KeptTopic>(*overlay_, Family::kTopics, key));
  if (request.change() == PutTopicRequest::MAKE) {
    KeptTopic topic = request.topic();
    topic.set_created_at_ms(present.has_value() ? present->created_at_ms() : now_ms);
    if (!present.has_value()) {
      BELLWIRE_ASSIGN_OR_RETURN(const uint32_t kept, CountKept(0));
      if (kept >= kMaxKeptTopicsPerTeam) {
        return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                         absl::StrCat("the team has ", kMaxKeptTopicsPerTeam,
                                      " topics that were made to stay, which is the most"));
      }
      BELLWIRE_RETURN_IF_ERROR(CountKept(+1).status());
    }
    overlay_->Put(Family::kTopics, key, topic.SerializeAsString());
    return topic;
  }
  if (!present.has_value()) {
    return MakeError(absl::StatusCode::kNotFound, "TOPIC_NOT_FOUND",
                     absl::StrCat("nobody has made the topic ", request.topic().name()));
  }
  if (request.change() == PutTopicRequest::REMOVE) {
    BELLWIRE_RETURN_IF_ERROR(CountKept(-1).status());
    overlay_->Delete(Family::kTopics, key);
  }
  return *std::move(present);
}

absl::Status TopicList::RemoveKept(absl::string_view app_id) {
  std::vector<std::string> keys;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_->Scan(Family::kTopics, KeptTopicKey(team_id_, ""), KeptTopicsEnd(team_id_),
                     [&](absl::string_view key, absl::string_view value) {
                       const auto topic = ParseRecord<KeptTopic>(value);
                       status = topic.status();
                       if (topic.ok() && (app_id.empty() || topic->app_id() == app_id))
                         keys.emplace_back(key);
                       return status.ok();
                     }));
  BELLWIRE_RETURN_IF_ERROR(status);
  for (const std::string& key : keys) overlay_->Delete(Family::kTopics, key);
  if (keys.empty()) return absl::OkStatus();
  return CountKept(-static_cast<int>(keys.size())).status();
}

}  // namespace bellwire::registry
