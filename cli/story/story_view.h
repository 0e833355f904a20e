#ifndef BELLWIRE_CLI_STORY_STORY_VIEW_H_
#define BELLWIRE_CLI_STORY_STORY_VIEW_H_

#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "cli/terminal.h"
#include "gateway/story/message_story.h"

namespace bellwire::cli {

// A step as a line of at most kPageColumns: what, when, how long after the one before it, and
// where.
std::string RenderStoryStep(const Story& story, size_t index, absl::TimeZone zone);

// How it stands, what it waits for and what to do.
void PrintStoryEnd(const Story& story, Terminal& out);

// All steps under a header, and PrintStoryEnd.
void PrintStory(const push::v1::GetMessageResponse& message, const Story& story,
                absl::TimeZone zone, Terminal& out);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_STORY_STORY_VIEW_H_
