#ifndef BELLWIRE_GATEWAY_STORY_MESSAGE_STORY_H_
#define BELLWIRE_GATEWAY_STORY_MESSAGE_STORY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "nlohmann/json.hpp"

// What became of a message, in words for someone who knows nothing of mailboxes and sessions. The
// command line and the console show the same.
namespace bellwire {

// A step of its life: what happened, when and where.
struct StoryStep {
  push::v1::Step step = push::v1::STEP_UNSPECIFIED;
  absl::Time time;
  // "server", "phone" or "app".
  std::string place;
  // At most kStepColumns characters.
  std::string what;
  // What the server added; may be empty.
  std::string detail;
};

inline constexpr size_t kStepColumns = 30;

struct Story {
  // How it stands, in a sentence.
  std::string headline;
  bool ended = false;
  // Whether the app has it.
  bool arrived = false;
  std::vector<StoryStep> steps;
  // Only if it has not ended: what it waits for, and the moment until which that can last at most,
  // if that is known (it then goes, or expires).
  std::string waits;
  std::optional<absl::Time> at_latest;
  // What to do. Empty: nothing.
  std::string to_do;
};

// Times are shown in `zone`, as HH:MM where they are of the day of `now`. Pure.
Story TellStory(const push::v1::GetMessageResponse& message, absl::Time now, absl::TimeZone zone);

// {"headline","ended","arrived","steps":[{"step","time","place","what","detail"}],"waits",
// "at_latest","to_do"}; what is empty is left out.
nlohmann::ordered_json ToJson(const Story& story);

}  // namespace bellwire

#endif  // BELLWIRE_GATEWAY_STORY_MESSAGE_STORY_H_
