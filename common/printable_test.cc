#include "common/printable.h"

#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(PrintableTest, TextStaysAsItIs) {
  for (const char* text : {"", "Example Ltd", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "a\\b \"c\"",
                           "\xf0\x9f\x94\x94"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(PrintableTest, NothingMovesACursor) {
  EXPECT_EQ(Printable("\033[2Jgone"), "\\x1b[2Jgone");
  EXPECT_EQ(Printable("two\r\nlines"), "two\\x0d\\x0alines");
  EXPECT_EQ(Printable(absl::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\x7f"), "\\x7f");
  // A C1 control, the CSI of eight bits.
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");
}

TEST(PrintableTest, NothingTurnsTheLineAround) {
  EXPECT_EQ(Printable("a\xe2\x80\xae"
                      "b"),
            "a\\xe2\\x80\\xaeb");
  EXPECT_EQ(Printable("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");
  EXPECT_EQ(Printable("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");
}

TEST(PrintableTest, BytesThatAreNoUtf8AreShown) {
  EXPECT_EQ(Printable("a\xff"
                      "b"),
            "a\\xffb");
  EXPECT_EQ(Printable("\xc3"), "\\xc3");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

}  // namespace
}  // namespace bellwire
