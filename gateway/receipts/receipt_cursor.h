#ifndef BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_CURSOR_H_
#define BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_CURSOR_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// How far each of a team's feeds was passed on. A feed that is not named has begun later: nothing
// of it was.
using FeedPositions = std::map<uint32_t, uint64_t>;

// A place among a team's receipts as providers keep it: opaque to them. It names the team, so that
// the cursor of another one is an error and not a wrong place. It has the positions of all feeds,
// some 20 bytes each: there is one, or one for each registry that shared the store at some time.
std::string EncodeReceiptCursor(absl::string_view team_id, const FeedPositions& positions);
// Of feed 0 only.
std::string EncodeReceiptCursor(absl::string_view team_id, uint64_t position);
//   INVALID_ARGUMENT BAD_CURSOR: not made by EncodeReceiptCursor for this team
absl::StatusOr<FeedPositions> DecodeReceiptCursor(absl::string_view team_id,
                                                  absl::string_view cursor);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_CURSOR_H_
