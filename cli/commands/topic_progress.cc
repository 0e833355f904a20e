#include "cli/commands/topic_progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/proto_render.h"
#include "cli/terminal.h"

namespace bellwire::cli {

using push::v1::TopicMessage;

double ProgressOf(const TopicMessage& message) {
  if (message.has_end_time()) return 1;
  if (message.subscribers() <= 0) return 0;
  const double done = static_cast<double>(message.sent() + message.passed_over());
  return std::min(0.99, done / static_cast<double>(message.subscribers()));
}

std::string RenderBar(double progress) {
  constexpr int kPlaces = 20;
  const int full = static_cast<int>(progress * kPlaces);
  return absl::StrCat("[", std::string(full, '#'), std::string(kPlaces - full, '-'), "] ",
                      absl::StrFormat("%3d %%", static_cast<int>(progress * 100)));
}

std::string RenderCount(int64_t count) {
  std::string text = absl::StrCat(count);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3)
    text.insert(text.begin() + at, ',');
  return text;
}

std::vector<std::vector<std::string>> StepRows(const TopicMessage& message) {
  std::vector<std::vector<std::string>> rows;
  for (const TopicMessage::StepCount& step : message.steps()) {
    std::string part;
    if (message.sent() > 0) {
      part = absl::StrFormat("%.1f %%", 100.0 * static_cast<double>(step.messages()) /
                                            static_cast<double>(message.sent()));
    }
    rows.push_back(
        {push::v1::Step_Name(step.step()), RenderCount(step.messages()), std::move(part)});
  }
  return rows;
}

nlohmann::ordered_json ToJson(const TopicMessage& message) {
  nlohmann::ordered_json json = {{"message_id", message.message_id()}};
  if (!message.topic().empty()) json["topic"] = message.topic();
  if (!message.condition().empty()) json["condition"] = message.condition();
  json["state"] = TopicMessage::State_Name(message.state());
  json["create_time"] = RenderTimeForJson(TimeOf(message.create_time()));
  if (message.has_end_time()) json["end_time"] = RenderTimeForJson(TimeOf(message.end_time()));
  if (!message.traceparent().empty()) json["traceparent"] = message.traceparent();
  json["subscribers"] = message.subscribers();
  json["sent"] = message.sent();
  json["passed_over"] = message.passed_over();
  json["steps"] = nlohmann::ordered_json::object();
  for (const TopicMessage::StepCount& step : message.steps()) {
    json["steps"][push::v1::Step_Name(step.step())] = step.messages();
  }
  return json;
}

}  // namespace bellwire::cli
