#ifndef BELLWIRE_RPC_TOPIC_NAME_H_
#define BELLWIRE_RPC_TOPIC_NAME_H_

#include "absl/strings/string_view.h"

namespace bellwire {

// Whether a topic may have this name: 1 to kMaxTopicNameChars characters of [a-zA-Z0-9-_.~%], as
// FCM's.
bool IsValidTopicName(absl::string_view name);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_TOPIC_NAME_H_
