#ifndef BELLWIRE_GATEWAY_DOORS_FCM_SUBSCRIPTION_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_SUBSCRIPTION_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/push/v1/topics.pb.h"
#include "gateway/doors/fcm/fcm_path.h"
#include "nlohmann/json.hpp"

// The JSON of FCM's two ways to manage topics: the Instance ID service (iid) and
// topicSubscriptions. Pure functions.
namespace bellwire::gateway::fcm {

// 1,000 tokens of kMaxTokenChars, and their quotes.
inline constexpr size_t kMaxBatchBodyBytes = 256 * 1024;

// The body of batchAdd and batchRemove: {"to": "/topics/NAME", "registration_tokens": ["...",
// ...]}. Fields beside the two are not looked at, as there.
struct TopicBatch {
  std::string topic;
  std::vector<std::string> tokens;
};
//   INVALID_ARGUMENT MALFORMED_JSON · JSON_TOO_DEEP · JSON_TOO_LARGE · BAD_VALUE · BATCH_TOO_LARGE
absl::StatusOr<TopicBatch> ReadTopicBatch(absl::string_view body);

// What a request for subscriptions says behind its "?". Names come in either spelling.
struct SubscriptionQuery {
  std::string topic_name;
  bool allow_missing = false;
  // 1 to 2,000; default: 1,000.
  size_t page_size = 1000;
  // The name that the page before ended with.
  std::string page_token;
};
//   INVALID_ARGUMENT BAD_VALUE
absl::StatusOr<SubscriptionQuery> ReadSubscriptionQuery(absl::string_view path);

// A TopicSubscription: {"name", "topic_name", "create_time"}. `path` names project and token.
nlohmann::ordered_json ToSubscriptionJson(const FcmPath& path,
                                          const push::v1::TopicSubscription& subscription);
// {"topic_subscriptions": [...], "next_page_token": "..."}; the latter only if there are more.
nlohmann::ordered_json ToSubscriptionsJson(const FcmPath& path, const SubscriptionQuery& query,
                                           const push::v1::ListSubscriptionsResponse& all);

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_SUBSCRIPTION_H_
