#include "gateway/receipts/receipt_cursor.h"

#include <cstdint>
#include <string>

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(ReceiptCursorTest, ComesBack) {
  for (const uint64_t position : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    const auto decoded = DecodeReceiptCursor("team", EncodeReceiptCursor("team", position));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, (FeedPositions{{0, position}}));
  }
}

TEST(ReceiptCursorTest, HasThePositionOfEachFeed) {
  const FeedPositions positions = {{0, 7}, {1, UINT64_MAX}, {31, 1}};
  const std::string cursor = EncodeReceiptCursor("team", positions);
  EXPECT_EQ(cursor, "2.team.7.1-18446744073709551615.31-1");
  const auto decoded = DecodeReceiptCursor("team", cursor);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, positions);
  EXPECT_EQ(EncodeReceiptCursor("team", {{0, 7}, {3, 0}}), EncodeReceiptCursor("team", 7))
      << "a feed of which nothing has come is as one that is not there";
  EXPECT_EQ(EncodeReceiptCursor("team", {{2, 9}}), "2.team.0.2-9");
}

TEST(ReceiptCursorTest, EverythingElseIsRefused) {
  for (const char* cursor :
       {"", "1", "1.team", "1.team.", "1.team.-1", "1.team.+1", "1.team. 1", "1.team.01",
        "1.team.1x", "2.team.1", "1.team.1.1-1", "2.team.1.1-0", "2.team.1.0-1", "2.team.1.2-1.1-1",
        "2.team.1.1-1.1-1", "2.team.1.1-1.", "2.team.1.1", "2.team.1.-1", "2.team.1.1-", "3.team.1",
        "2.team.1.4294967296-1", "1.other.1", "1.team.18446744073709551616"}) {
    const auto decoded = DecodeReceiptCursor("team", cursor);
    EXPECT_EQ(ErrorReason(decoded.status()), "BAD_CURSOR") << cursor;
    EXPECT_EQ(ErrorField(decoded.status()), "cursor");
  }
}

}  // namespace
}  // namespace bellwire::gateway
