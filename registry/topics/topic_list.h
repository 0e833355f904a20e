#ifndef BELLWIRE_REGISTRY_TOPICS_TOPIC_LIST_H_
#define BELLWIRE_REGISTRY_TOPICS_TOPIC_LIST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "registry/engine/overlay.h"

namespace bellwire::registry {

// Topics of one team that PutTopic made: as many as APNs' channels of an app.
inline constexpr size_t kMaxKeptTopicsPerTeam = 10'000;
// Topics in one answer.
inline constexpr size_t kMaxListedTopics = 1000;

// The topics of one team: how many are subscribed to each, and those that were made to stay.
// Transactions of the team. Changes are staged in the overlay. Not thread-safe. Errors: those of
// KvReader.
class TopicList {
 public:
  // `feeds`: where subscribers are counted (registry/keys/keys.h). Count wants the name of one
  // instead of a team id.
  TopicList(Overlay* overlay, absl::string_view team_id, std::vector<uint32_t> feeds = {0})
      : overlay_(overlay), team_id_(team_id), feeds_(std::move(feeds)) {}

  // So many more are subscribed. What devices changed comes here by the outbox (receipt_relay.h).
  // Where devices have had several owners, one may count more that leave than that came.
  absl::Status Count(absl::string_view topic, int64_t change);
  // How many topics have somebody subscribed.
  absl::StatusOr<uint32_t> Topics();
  // How many are subscribed.
  absl::StatusOr<uint64_t> Subscribers(absl::string_view topic) const;
  // As Store::ListTopics.
  absl::StatusOr<internal::v1::ListTopicsResponse> List(absl::string_view after, size_t max,
                                                        bool kept_only) const;
  // As Store::PutTopic. REQUIRES: request.topic() is of this team.
  absl::StatusOr<internal::v1::KeptTopic> Put(const internal::v1::PutTopicRequest& request,
                                              int64_t now_ms);
  // Takes away what was made to stay for an app; empty: for any. At most kMaxKeptTopicsPerTeam
  // records.
  absl::Status RemoveKept(absl::string_view app_id);

 private:
  // Whether another feed counts subscribers of the topic. Then it counts the topic.
  absl::StatusOr<bool> IsCountedElsewhere(absl::string_view topic) const;
  // Adds to the number of topics that somebody is subscribed to.
  absl::StatusOr<uint32_t> CountTopics(int change);
  // Adds to the number of those that stay.
  absl::StatusOr<uint32_t> CountKept(int change);

  Overlay* const overlay_;
  const std::string team_id_;
  const std::vector<uint32_t> feeds_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_TOPIC_LIST_H_
