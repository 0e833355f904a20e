#ifndef BELLWIRE_GATEWAY_DOORS_FCM_FCM_PATH_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_FCM_PATH_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// What the paths of FCM's APIs name. Pure function.
namespace bellwire::gateway::fcm {

struct FcmPath {
  enum class Resource {
    // /v1/projects/PROJECT/messages:send
    kMessages,
    // /v1/projects/PROJECT/registrations/TOKEN/topicSubscriptions
    kSubscriptions,
    // /v1/projects/PROJECT/registrations/TOKEN/topicSubscriptions/TOPIC
    kSubscription,
    // /iid/v1:batchAdd and /iid/v1:batchRemove
    kBatchAdd,
    kBatchRemove,
  };
  Resource resource = Resource::kMessages;
  // The team's id. Empty for the last two.
  std::string project;
  std::string token;
  std::string topic;
};

// Of a path with or without a query; segments may be percent-encoded. nullopt: it is none of them.
std::optional<FcmPath> ParseFcmPath(absl::string_view path);

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_FCM_PATH_H_
