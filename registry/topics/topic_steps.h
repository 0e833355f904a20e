#ifndef BELLWIRE_REGISTRY_TOPICS_TOPIC_STEPS_H_
#define BELLWIRE_REGISTRY_TOPICS_TOPIC_STEPS_H_

#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/ids.h"
#include "registry/engine/overlay.h"

namespace bellwire::registry {

// How many messages have come to each step.
using StepCounts = std::map<push::v1::Step, int64_t>;

// Adds to what a topic message counts: a transaction of its team. Nothing, if it was forgotten. One
// record is written, however many receipts came. Errors: those of KvReader.
absl::Status CountTopicSteps(Overlay* overlay, absl::string_view team_id,
                             const MessageId& topic_message, const StepCounts& more);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_TOPIC_STEPS_H_
