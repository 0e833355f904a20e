#ifndef BELLWIRE_REGISTRY_TOPICS_SUBSCRIPTIONS_H_
#define BELLWIRE_REGISTRY_TOPICS_SUBSCRIPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/catalogue/app_lives.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

// What one registration is subscribed to. Transactions of its device.
namespace bellwire::registry {

// Topics of a registration that ended which one transaction takes away: a part of a millisecond.
// The rest follows in further ones, by an entry of the timeline.
inline constexpr size_t kMaxTopicsEndedPerTransaction = 64;

// Store::ChangeSubscription. `apps`: whether the app still exists.
absl::StatusOr<SubscriptionChange> ChangeSubscription(DeviceTransaction& tx, AppLives& apps,
                                                      uint64_t registration_id,
                                                      absl::string_view team_id,
                                                      absl::string_view topic, bool subscribed);
// Store::ListSubscriptions.
absl::StatusOr<std::vector<TopicOfToken>> ListSubscriptions(DeviceTransaction& tx, AppLives& apps,
                                                            uint64_t registration_id,
                                                            absl::string_view team_id);

// Ends the subscriptions of a registration that has ended, or whose app was deleted: a bounded
// number now, and the rest soon.
absl::Status EndTopics(DeviceTransaction& tx, uint64_t registration_id, absl::string_view team_id);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_SUBSCRIPTIONS_H_
