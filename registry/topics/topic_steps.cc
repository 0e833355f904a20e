#include "registry/topics/topic_steps.h"

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"

namespace bellwire::registry {
namespace {

// How much longer than its receipts they are kept: most often the message itself has gone by then
// (FanOuts::Wake). And until the next look, if it has not.
constexpr absl::Duration kForgetStepsAgainAfter = absl::Hours(2);

void WakeAt(Overlay* overlay, TimelineEntry entry, int64_t time_ms) {
  entry.time_ms = time_ms;
  overlay->Put(Family::kTimeline, TimelineKey(entry), std::string());
}

absl::StatusOr<bool> IsThere(const KvReader& reader, absl::string_view team_id,
                             const MessageId& topic_message) {
  std::string storage;
  BELLWIRE_ASSIGN_OR_RETURN(
      const auto fan_out,
      reader.View(Family::kTopics, FanOutKey(team_id, topic_message), &storage));
  return fan_out.has_value();
}

}  // namespace

absl::StatusOr<StepCounts> ReadTopicSteps(const KvReader& reader, absl::string_view team_id,
                                          const std::vector<uint32_t>& feeds,
                                          const MessageId& topic_message) {
  StepCounts counts;
  for (const uint32_t feed : feeds) {
    BELLWIRE_ASSIGN_OR_RETURN(
        const std::optional<storage::v1::TopicSteps> steps,
        GetRecord<storage::v1::TopicSteps>(
            reader, Family::kTopics, TopicStepsKey(FeedName(team_id, feed), topic_message)));
    if (!steps.has_value()) continue;
    for (const auto& step : steps->steps()) counts[step.step()] += step.messages();
  }
  return counts;
}

absl::Status CountTopicSteps(Overlay* overlay, absl::string_view team_id, uint32_t feed,
                             const MessageId& topic_message, const StepCounts& more,
                             int64_t now_ms) {
  BELLWIRE_ASSIGN_OR_RETURN(const bool there, IsThere(*overlay, team_id, topic_message));
  if (!there) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(StepCounts counts,
                            ReadTopicSteps(*overlay, team_id, {feed}, topic_message));
  const std::string name = FeedName(team_id, feed);
  if (feed != 0 && counts.empty()) {
    WakeAt(overlay,
           {.kind = TimelineEntry::Kind::kTopicMessage,
            .message = {.message_id = topic_message},
            .team_id = name},
           now_ms + absl::ToInt64Milliseconds(kReceiptRetention + kForgetStepsAgainAfter));
  }
  for (const auto& [step, messages] : more) counts[step] += messages;
  storage::v1::TopicSteps steps;
  for (const auto& [step, messages] : counts) {
    auto* entry = steps.add_steps();
    entry->set_step(step);
    entry->set_messages(messages);
  }
  overlay->Put(Family::kTopics, TopicStepsKey(name, topic_message), steps.SerializeAsString());
  return absl::OkStatus();
}

absl::Status ForgetTopicSteps(Overlay* overlay, const TimelineEntry& entry, int64_t now_ms) {
  absl::string_view team_id = entry.team_id;
  team_id.remove_suffix(1);
  BELLWIRE_ASSIGN_OR_RETURN(const bool there,
                            IsThere(*overlay, team_id, entry.message.message_id));
  overlay->Delete(Family::kTimeline, TimelineKey(entry));
  if (there) {
    WakeAt(overlay, entry, now_ms + absl::ToInt64Milliseconds(kForgetStepsAgainAfter));
  } else {
    overlay->Delete(Family::kTopics, TopicStepsKey(entry.team_id, entry.message.message_id));
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
