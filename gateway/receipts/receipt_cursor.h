#ifndef BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_CURSOR_H_
#define BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_CURSOR_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// A place in a team's feed of receipts as providers keep it: opaque to them. It names the team, so
// that the cursor of another one is an error and not a wrong place.
std::string EncodeReceiptCursor(absl::string_view team_id, uint64_t position);
//   INVALID_ARGUMENT BAD_CURSOR: not made by EncodeReceiptCursor for this team
absl::StatusOr<uint64_t> DecodeReceiptCursor(absl::string_view team_id, absl::string_view cursor);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_CURSOR_H_
