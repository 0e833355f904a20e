#include "ops/suggestion.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace bellwire {
namespace {

// Steps of one letter between two words.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Nearest(absl::string_view word, const std::vector<std::string>& known) {
  constexpr size_t kFar = 3;
  std::string nearest;
  size_t least = std::min(kFar, word.size() / 2 + 1);
  for (const std::string& candidate : known) {
    const size_t distance = Distance(absl::StrReplaceAll(word, {{"-", "_"}}),
                                     absl::StrReplaceAll(candidate, {{"-", "_"}}));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string WithSuggestion(std::string what, absl::string_view suggestion) {
  if (!suggestion.empty()) absl::StrAppend(&what, "; is ", suggestion, " meant?");
  return what;
}

}  // namespace bellwire
