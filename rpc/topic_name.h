#ifndef BELLWIRE_RPC_TOPIC_NAME_H_
#define BELLWIRE_RPC_TOPIC_NAME_H_

#include "absl/strings/string_view.h"

namespace bellwire {

// Whether `c` may stand in the name of a topic: [a-zA-Z0-9-_.~%], as in FCM's.
bool IsTopicNameChar(char c);

// Whether a topic may have this name: 1 to kMaxTopicNameChars such characters.
bool IsValidTopicName(absl::string_view name);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_TOPIC_NAME_H_
