#ifndef BELLWIRE_GATEWAY_TOPICS_TOPIC_NAME_H_
#define BELLWIRE_GATEWAY_TOPICS_TOPIC_NAME_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// Whether `c` may stand in the name of a topic: [a-zA-Z0-9-_.~%].
bool IsTopicNameChar(char c);

// Pure. INVALID_ARGUMENT BAD_TOPIC, with the field "topic": not a name of 1 to kMaxTopicNameChars
// such characters.
absl::Status CheckTopicName(absl::string_view name);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_TOPIC_NAME_H_
