#include "registry/topics/subscriptions.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/mailbox/token.h"

namespace bellwire::registry {
namespace {

using storage::v1::Registration;
using storage::v1::TopicSubscription;

// The living registration of an app. `team_id` empty: the device itself asks.
absl::StatusOr<const Registration*> FindApp(DeviceTransaction& tx, AppLives& apps,
                                            uint64_t registration_id, absl::string_view team_id) {
  TokenRef token{tx.device_id(), registration_id, std::string(team_id)};
  if (token.team_id.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, tx.FindRegistration(registration_id));
    if (found != nullptr) token.team_id = found->team_id();
    if (found != nullptr && found->has_subscription()) {
      return MakeError(
          absl::StatusCode::kPermissionDenied, "TOKEN_NOT_FOR_TEAM",
          "the registration is a subscription without a team, and topics are a team's");
    }
  }
  BELLWIRE_RETURN_IF_ERROR(CheckAppLives(tx, token, apps));
  return FindLivingToken(tx, token);
}

}  // namespace

absl::StatusOr<SubscriptionChange> ChangeSubscription(DeviceTransaction& tx, AppLives& apps,
                                                      uint64_t registration_id,
                                                      absl::string_view team_id,
                                                      absl::string_view topic, bool subscribed) {
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                            FindApp(tx, apps, registration_id, team_id));
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<TopicSubscription> present,
                            tx.FindTopic(registration_id, topic));
  if (present.has_value() == subscribed) {
    return SubscriptionChange{.unchanged = true,
                              .created_at_ms = present.has_value() ? present->created_at_ms() : 0};
  }
  if (!subscribed) {
    BELLWIRE_RETURN_IF_ERROR(tx.RemoveTopic(registration_id, registration->team_id(), topic));
    return SubscriptionChange{.created_at_ms = present->created_at_ms()};
  }
  if (registration->topics() >= kMaxTopicsPerRegistration) {
    return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                     absl::StrCat("an app on a device is subscribed to at most ",
                                  kMaxTopicsPerRegistration, " topics"));
  }
  tx.AddTopic(registration_id, topic);
  return SubscriptionChange{.created_at_ms = tx.now_ms()};
}

absl::StatusOr<std::vector<TopicOfToken>> ListSubscriptions(DeviceTransaction& tx, AppLives& apps,
                                                            uint64_t registration_id,
                                                            absl::string_view team_id) {
  BELLWIRE_RETURN_IF_ERROR(FindApp(tx, apps, registration_id, team_id).status());
  std::vector<TopicOfToken> topics;
  BELLWIRE_RETURN_IF_ERROR(
      tx.ScanTopics(registration_id, [&](absl::string_view topic, const TopicSubscription& found) {
        topics.push_back({std::string(topic), found.created_at_ms()});
        return topics.size() < kMaxTopicsPerRegistration;
      }));
  return topics;
}

absl::Status EndTopics(DeviceTransaction& tx, uint64_t registration_id, absl::string_view team_id) {
  std::vector<std::string> ended;
  bool more = false;
  BELLWIRE_RETURN_IF_ERROR(
      tx.ScanTopics(registration_id, [&](absl::string_view topic, const TopicSubscription&) {
        more = ended.size() == kMaxTopicsEndedPerTransaction;
        if (!more) ended.emplace_back(topic);
        return !more;
      }));
  for (const std::string& topic : ended) {
    BELLWIRE_RETURN_IF_ERROR(tx.RemoveTopic(registration_id, team_id, topic));
  }
  if (more) {
    tx.PutTimeline({.time_ms = tx.now_ms(),
                    .kind = TimelineEntry::Kind::kTopics,
                    .message = {.registration_id = registration_id},
                    .team_id = std::string(team_id)});
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
