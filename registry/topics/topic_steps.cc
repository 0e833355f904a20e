#include "registry/topics/topic_steps.h"

#include <optional>
#include <string>

#include "bellwire/storage/v1/storage.pb.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

absl::Status CountTopicSteps(Overlay* overlay, absl::string_view team_id,
                             const MessageId& topic_message, const StepCounts& more) {
  std::string storage;
  BELLWIRE_ASSIGN_OR_RETURN(
      const auto fan_out,
      overlay->View(Family::kTopics, FanOutKey(team_id, topic_message), &storage));
  if (!fan_out.has_value()) return absl::OkStatus();
  const std::string key = TopicStepsKey(team_id, topic_message);
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<storage::v1::TopicSteps> before,
                            GetRecord<storage::v1::TopicSteps>(*overlay, Family::kTopics, key));
  StepCounts counts = more;
  if (before.has_value()) {
    for (const auto& step : before->steps()) counts[step.step()] += step.messages();
  }
  storage::v1::TopicSteps steps;
  for (const auto& [step, messages] : counts) {
    auto* entry = steps.add_steps();
    entry->set_step(step);
    entry->set_messages(messages);
  }
  overlay->Put(Family::kTopics, key, steps.SerializeAsString());
  return absl::OkStatus();
}

}  // namespace bellwire::registry
