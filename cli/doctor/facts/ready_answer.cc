#include "cli/doctor/facts/ready_answer.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bellwire::cli {

std::optional<ReadyAnswer> ParseReadyAnswer(absl::string_view head) {
  ReadyAnswer answer;
  const std::vector<absl::string_view> lines = absl::StrSplit(head, "\r\n");
  // Of a view that has no data.
  if (lines.empty()) return std::nullopt;
  // "HTTP/1.1 200 OK".
  absl::string_view first = lines[0];
  if (!absl::ConsumePrefix(&first, "HTTP/1.1 ") ||
      !absl::SimpleAtoi(first.substr(0, 3), &answer.status) || answer.status < 100 ||
      answer.status > 599) {
    return std::nullopt;
  }
  constexpr absl::string_view kDate = "date: ";
  for (const absl::string_view line : lines) {
    if (!absl::StartsWithIgnoreCase(line, kDate)) continue;
    absl::Time time;
    if (absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", line.substr(kDate.size()), &time, nullptr)) {
      answer.date = time;
    }
  }
  return answer;
}

}  // namespace bellwire::cli
