#ifndef BELLWIRE_REGISTRY_TOPICS_TOPIC_STEPS_H_
#define BELLWIRE_REGISTRY_TOPICS_TOPIC_STEPS_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/ids.h"
#include "registry/engine/overlay.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

// How many messages have come to each step.
using StepCounts = std::map<push::v1::Step, int64_t>;

// Adds to what a topic message counts in one of the feeds (registry/keys/keys.h): a transaction of
// its team. Nothing, if it was forgotten. One record is written, however many receipts came.
// Errors: those of KvReader.
absl::Status CountTopicSteps(Overlay* overlay, absl::string_view team_id, uint32_t feed,
                             const MessageId& topic_message, const StepCounts& more,
                             int64_t now_ms);
// What all feeds have counted.
absl::StatusOr<StepCounts> ReadTopicSteps(const KvReader& reader, absl::string_view team_id,
                                          const std::vector<uint32_t>& feeds,
                                          const MessageId& topic_message);
// The timeline entry of what a feed other than feed 0 has counted is due: forgets it, unless the
// topic message is there still. (What feed 0 has counted goes with the message.)
absl::Status ForgetTopicSteps(Overlay* overlay, const TimelineEntry& entry, int64_t now_ms);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_TOPIC_STEPS_H_
