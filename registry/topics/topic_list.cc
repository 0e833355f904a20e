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
  if (subscribers < 0 && FeedOfName(team_id_) == 0) {
    return StoreCorruptError(absl::StrCat("topic ", topic, " counts fewer subscribers than none"));
  }
  if (before.has_value() != (subscribers != 0)) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool elsewhere, IsCountedElsewhere(topic));
    if (!elsewhere) {
      BELLWIRE_RETURN_IF_ERROR(CountTopics(before.has_value() ? -1 : +1).status());
    }
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
  int64_t subscribers = 0;
  for (const uint32_t feed : feeds_) {
    BELLWIRE_ASSIGN_OR_RETURN(
        const std::optional<TopicCount> count,
        GetRecord<TopicCount>(*overlay_, Family::kTopics,
                              TopicCountKey(FeedName(team_id_, feed), topic)));
    if (count.has_value()) subscribers += static_cast<int64_t>(count->subscribers());
  }
  return static_cast<uint64_t>(std::max<int64_t>(0, subscribers));
}

absl::StatusOr<internal::v1::ListTopicsResponse> TopicList::List(absl::string_view after,
                                                                 size_t max, bool kept_only) const {
  max = std::clamp<size_t>(max, 1, kMaxListedTopics);
  struct Found {
    int64_t subscribers = 0;
    bool kept = false;
  };
  // One more than asked for, of each kind: the first `max` of all together are among these.
  absl::btree_map<std::string, Found> found;
  // Beyond it a kind may have more.
  std::optional<std::string> complete_to;
  absl::Status status;
  const auto take = [&](std::string from, const std::string& to, auto add) {
    if (!after.empty()) from.push_back('\0');
    size_t taken = 0;
    status.Update(overlay_->Scan(Family::kTopics, from, to,
                                 [&](absl::string_view key, absl::string_view value) {
                                   const std::string name(TopicOfKey(key));
                                   add(value, &found[name]);
                                   if (++taken <= max) return status.ok();
                                   if (!complete_to.has_value() || name < *complete_to) {
                                     complete_to = name;
                                   }
                                   return false;
                                 }));
  };
  take(KeptTopicKey(team_id_, after), KeptTopicsEnd(team_id_),
       [](absl::string_view, Found* topic) { topic->kept = true; });
  for (const uint32_t feed : feeds_) {
    if (kept_only) break;
    const std::string name = FeedName(team_id_, feed);
    take(TopicCountKey(name, after), TopicCountsEnd(name),
         [&](absl::string_view value, Found* topic) {
           const auto count = ParseRecord<TopicCount>(value);
           status.Update(count.status());
           if (count.ok()) topic->subscribers += static_cast<int64_t>(count->subscribers());
         });
  }
  BELLWIRE_RETURN_IF_ERROR(status);
  internal::v1::ListTopicsResponse response;
  for (const auto& [name, of_topic] : found) {
    if (static_cast<size_t>(response.topics_size()) == max ||
        (complete_to.has_value() && name > *complete_to)) {
      response.set_more(true);
      break;
    }
    // One feed has counted those who came, and another one the same when they left.
    if (of_topic.subscribers <= 0 && !of_topic.kept) continue;
    push::v1::Topic* topic = response.add_topics();
    topic->set_name(name);
    topic->set_subscribers(std::max<int64_t>(0, of_topic.subscribers));
  }
  if (!kept_only) return response;
  for (push::v1::Topic& topic : *response.mutable_topics()) {
    BELLWIRE_ASSIGN_OR_RETURN(const uint64_t subscribers, Subscribers(topic.name()));
    topic.set_subscribers(static_cast<int64_t>(subscribers));
  }
  return response;
}

absl::StatusOr<bool> TopicList::IsCountedElsewhere(absl::string_view topic) const {
  if (feeds_.size() <= 1) return false;
  absl::string_view team = team_id_;
  if (FeedOfName(team) != 0) team.remove_suffix(1);
  for (const uint32_t feed : feeds_) {
    const std::string name = FeedName(team, feed);
    if (name == team_id_) continue;
    BELLWIRE_ASSIGN_OR_RETURN(
        const std::optional<TopicCount> count,
        GetRecord<TopicCount>(*overlay_, Family::kTopics, TopicCountKey(name, topic)));
    if (count.has_value()) return true;
  }
  return false;
}

absl::StatusOr<uint32_t> TopicList::Topics() {
  if (feeds_.size() <= 1) return CountTopics(0);
  int64_t topics = 0;
  for (const uint32_t feed : feeds_) {
    BELLWIRE_ASSIGN_OR_RETURN(
        const std::optional<TeamTopics> team,
        GetRecord<TeamTopics>(*overlay_, Family::kTopics, TeamTopicsKey(FeedName(team_id_, feed))));
    if (team.has_value()) topics += static_cast<int32_t>(team->topics());
  }
  return static_cast<uint32_t>(std::max<int64_t>(topics, 0));
}

absl::StatusOr<uint32_t> TopicList::CountTopics(int change) {
  const std::string key = TeamTopicsKey(team_id_);
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<TeamTopics> found,
                            GetRecord<TeamTopics>(*overlay_, Family::kTopics, key));
  TeamTopics team = std::move(found).value_or(TeamTopics());
  if (!team.has_topics() && FeedOfName(team_id_) == 0) {
    // Once for each team of a store that is older than the count, and than other feeds.
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
