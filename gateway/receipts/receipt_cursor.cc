#include "gateway/receipts/receipt_cursor.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"

namespace bellwire::gateway {
namespace {

// The first character is the version of the form.
std::string Prefix(absl::string_view team_id) { return absl::StrCat("1.", team_id, "."); }

}  // namespace

std::string EncodeReceiptCursor(absl::string_view team_id, uint64_t position) {
  return absl::StrCat(Prefix(team_id), position);
}

absl::StatusOr<uint64_t> DecodeReceiptCursor(absl::string_view team_id, absl::string_view cursor) {
  absl::string_view rest = cursor;
  uint64_t position = 0;
  // Compared with what is made of it: no other spelling of the number counts.
  if (!absl::ConsumePrefix(&rest, Prefix(team_id)) || !absl::SimpleAtoi(rest, &position) ||
      EncodeReceiptCursor(team_id, position) != cursor) {
    return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_CURSOR",
                               "This is no cursor that this team got from WatchReceipts."),
                     "cursor");
  }
  return position;
}

}  // namespace bellwire::gateway
