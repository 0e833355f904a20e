#include "rpc/topic_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/limits.h"

namespace bellwire {

bool IsTopicNameChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ||
         c == '~' || c == '%';
}

bool IsValidTopicName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxTopicNameChars &&
         std::all_of(name.begin(), name.end(), IsTopicNameChar);
}

}  // namespace bellwire
