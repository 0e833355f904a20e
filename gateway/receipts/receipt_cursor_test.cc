#include "gateway/receipts/receipt_cursor.h"

#include <cstdint>

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(ReceiptCursorTest, ComesBack) {
  for (const uint64_t position : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    const auto decoded = DecodeReceiptCursor("team", EncodeReceiptCursor("team", position));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, position);
  }
}

TEST(ReceiptCursorTest, EverythingElseIsRefused) {
  for (const char* cursor :
       {"", "1", "1.team", "1.team.", "1.team.-1", "1.team.+1", "1.team. 1", "1.team.01",
        "1.team.1x", "2.team.1", "1.other.1", "1.team.18446744073709551616"}) {
    const auto decoded = DecodeReceiptCursor("team", cursor);
    EXPECT_EQ(ErrorReason(decoded.status()), "BAD_CURSOR") << cursor;
    EXPECT_EQ(ErrorField(decoded.status()), "cursor");
  }
}

}  // namespace
}  // namespace bellwire::gateway
