#include "gateway/topics/topic_name.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "rpc/topic_name.h"

namespace bellwire::gateway {
namespace {

absl::Status BadTopic(absl::string_view message) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_TOPIC", message), "topic");
}

}  // namespace

absl::Status CheckTopicName(absl::string_view name) {
  if (name.empty()) return BadTopic("The name of the topic is missing.");
  if (name.size() > kMaxTopicNameChars) {
    return BadTopic(absl::StrCat("The name of the topic has ", name.size(), " characters; at most ",
                                 kMaxTopicNameChars, " are allowed."));
  }
  const auto bad = std::find_if_not(name.begin(), name.end(), IsTopicNameChar);
  if (bad == name.end()) return absl::OkStatus();
  return BadTopic(
      absl::StrCat("The name of the topic has a character other than [a-zA-Z0-9-_.~%], ",
                   "the one after ", bad - name.begin(), " good ones."));
}

}  // namespace bellwire::gateway
