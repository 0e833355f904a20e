#include "cli/story/story_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/doctor/report.h"

namespace bellwire::cli {
namespace {

// Receipts have milliseconds, so a step takes no fraction of one.
std::string RenderTook(absl::Duration took) {
  if (took >= absl::Seconds(1)) return absl::StrCat("+", RenderDuration(took));
  return absl::StrCat("+", absl::ToInt64Milliseconds(took), " ms");
}

void PrintParagraph(absl::string_view label, const std::string& text, Terminal& out) {
  bool first = true;
  for (const std::string& line : Wrap(text, kPageColumns - label.size())) {
    out.Line(absl::StrCat(first ? std::string(label) : std::string(label.size(), ' '), line));
    first = false;
  }
}

std::string RenderColumns(absl::string_view step, absl::string_view time, absl::string_view after,
                          absl::string_view where, absl::string_view what) {
  return absl::StrFormat("%-13s %-12s  %-12s %-7s %s", step, time, after, where, what);
}

}  // namespace

std::string RenderStoryStep(const Story& story, size_t index, absl::TimeZone zone) {
  const StoryStep& step = story.steps[index];
  return RenderColumns(
      push::v1::Step_Name(step.step), absl::FormatTime("%H:%M:%E3S", step.time, zone),
      index == 0 ? "" : RenderTook(step.time - story.steps[index - 1].time), step.place, step.what);
}

void PrintStoryEnd(const Story& story, Terminal& out) {
  for (const StoryStep& step : story.steps) {
    if (step.detail.empty()) continue;
    PrintParagraph(absl::StrCat(push::v1::Step_Name(step.step), ": "), step.detail, out);
  }
  PrintParagraph("", story.headline, out);
  if (!story.waits.empty()) PrintParagraph("It waits ", story.waits + ".", out);
  if (!story.to_do.empty()) PrintParagraph("To do: ", story.to_do + ".", out);
}

void PrintStory(const push::v1::GetMessageResponse& message, const Story& story,
                absl::TimeZone zone, Terminal& out) {
  const std::string state = push::v1::Step_Name(message.state());
  out.Line(absl::StrCat(out.Bold(message.message_id()), "  to ", message.app_id(), "  ",
                        story.ended && !story.arrived ? out.Bad(state) : out.Good(state)));
  out.Line(out.Dim(RenderColumns("STEP", "TIME", "AFTER", "WHERE", "WHAT")));
  for (size_t i = 0; i < story.steps.size(); ++i) out.Line(RenderStoryStep(story, i, zone));
  if (!message.traceparent().empty()) {
    out.Line(absl::StrCat("traceparent ", message.traceparent()));
  }
  PrintStoryEnd(story, out);
}

}  // namespace bellwire::cli
