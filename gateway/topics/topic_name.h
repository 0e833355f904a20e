#ifndef BELLWIRE_GATEWAY_TOPICS_TOPIC_NAME_H_
#define BELLWIRE_GATEWAY_TOPICS_TOPIC_NAME_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// Pure. Says what is wrong with a name that no topic may have (rpc/topic_name.h).
//   INVALID_ARGUMENT BAD_TOPIC, with the field "topic"
absl::Status CheckTopicName(absl::string_view name);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_TOPIC_NAME_H_
