#include "gateway/receipts/receipt_cursor.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error.h"

namespace bellwire::gateway {
namespace {

// The first character is the version of the form: 1 is of feed 0 alone.
std::string Prefix(char form, absl::string_view team_id) {
  return absl::StrCat(absl::string_view(&form, 1), ".", team_id, ".");
}

absl::Status BadCursor() {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_CURSOR",
                             "This is no cursor that this team got from WatchReceipts."),
                   "cursor");
}

}  // namespace

std::string EncodeReceiptCursor(absl::string_view team_id, uint64_t position) {
  return absl::StrCat(Prefix('1', team_id), position);
}

std::string EncodeReceiptCursor(absl::string_view team_id, const FeedPositions& positions) {
  std::string feeds;
  uint64_t first = 0;
  for (const auto& [feed, position] : positions) {
    if (feed == 0) {
      first = position;
    } else if (position > 0) {
      absl::StrAppend(&feeds, ".", feed, "-", position);
    }
  }
  // Feed 0 is always named, so that the form has an end.
  if (feeds.empty()) return EncodeReceiptCursor(team_id, first);
  return absl::StrCat(Prefix('2', team_id), first, feeds);
}

absl::StatusOr<FeedPositions> DecodeReceiptCursor(absl::string_view team_id,
                                                  absl::string_view cursor) {
  FeedPositions positions;
  absl::string_view rest = cursor;
  if (!absl::ConsumePrefix(&rest, Prefix('1', team_id)) &&
      !absl::ConsumePrefix(&rest, Prefix('2', team_id))) {
    return BadCursor();
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, '.');
  if (!absl::SimpleAtoi(parts[0], &positions[0])) return BadCursor();
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> feed =
        absl::StrSplit(parts[i], absl::MaxSplits('-', 1));
    uint32_t number = 0;
    uint64_t position = 0;
    if (!absl::SimpleAtoi(feed.first, &number) || !absl::SimpleAtoi(feed.second, &position)) {
      return BadCursor();
    }
    positions[number] = position;
  }
  // Compared with what is made of it: no other spelling counts.
  if (EncodeReceiptCursor(team_id, positions) != cursor) return BadCursor();
  return positions;
}

}  // namespace bellwire::gateway
