#ifndef BELLWIRE_OPS_SUGGESTION_H_
#define BELLWIRE_OPS_SUGGESTION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// What a person who mistyped a name is likely to mean. Thread-safe.
namespace bellwire {

// The one of `known` that is fewest letters away from `word`; empty if none is near. Hyphens count
// as underscores: that is how other programs write flags.
std::string Nearest(absl::string_view word, const std::vector<std::string>& known);

// "WHAT; is SUGGESTION meant?", or WHAT alone without a suggestion.
std::string WithSuggestion(std::string what, absl::string_view suggestion);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_SUGGESTION_H_
