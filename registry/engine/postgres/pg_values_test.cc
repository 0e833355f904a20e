#include "registry/engine/postgres/pg_values.h"

#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

TEST(PgValuesTest, NumbersAreBigEndian) {
  EXPECT_EQ(PgInt2(-2), std::string("\xff\xfe"));
  EXPECT_EQ(PgInt4(0x01020304), std::string("\x01\x02\x03\x04"));
  for (const int64_t value :
       {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{0x0102030405}}) {
    EXPECT_EQ(ParsePgInt8(*PgInt8(value)), value);
  }
}

TEST(PgValuesTest, AnEmptyArrayHasNoDimension) {
  EXPECT_EQ(PgArray(PgArray::Of::kInt2).value(), std::string("\0\0\0\0\0\0\0\0\0\0\0\x15", 12));
}

TEST(PgValuesTest, AnArrayHasASizeBeforeEachElement) {
  PgArray array(PgArray::Of::kBytes);
  array.AddBytes(absl::string_view("\0x", 2));
  array.AddBytes("");
  EXPECT_EQ(array.size(), 2);
  EXPECT_EQ(array.value(), std::string("\0\0\0\1\0\0\0\0\0\0\0\x11\0\0\0\2\0\0\0\1"
                                       "\0\0\0\2\0x\0\0\0\0",
                                       30));
  array.Clear();
  EXPECT_EQ(array.size(), 0);
}

}  // namespace
}  // namespace bellwire::registry
