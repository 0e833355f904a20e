#include "cli/qr_text.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

// Whether modules are dark, row by row, from the text.
std::vector<std::string> Modules(const std::vector<std::string>& lines) {
  std::vector<std::string> rows;
  for (absl::string_view line : lines) {
    std::string upper, lower;
    while (!line.empty()) {
      if (absl::ConsumePrefix(&line, "█")) {
        upper += '.', lower += '.';
      } else if (absl::ConsumePrefix(&line, "▀")) {
        upper += '.', lower += '#';
      } else if (absl::ConsumePrefix(&line, "▄")) {
        upper += '#', lower += '.';
      } else if (absl::ConsumePrefix(&line, " ")) {
        upper += '#', lower += '#';
      } else {
        ADD_FAILURE() << line;
        return rows;
      }
    }
    rows.push_back(upper);
    rows.push_back(lower);
  }
  return rows;
}

TEST(QrTextTest, IsAQrCodeWithAMargin) {
  const auto lines = QrText("bwe_abcdefgh23aaaabbbbccccddddeeeeffffgggghhhh");
  ASSERT_TRUE(lines.ok()) << lines.status();
  const std::vector<std::string> rows = Modules(*lines);
  const size_t width = rows[0].size();
  // Version N has 17 + 4 N modules.
  ASSERT_EQ((width - 4 - 17) % 4, 0u) << width;
  ASSERT_GE(rows.size(), width);
  // The three finder patterns, each in a corner and 7 modules wide.
  const std::vector<std::string> finder = {"#######", "#.....#", "#.###.#", "#.###.#",
                                           "#.###.#", "#.....#", "#######"};
  for (const auto& [x, y] :
       std::vector<std::pair<size_t, size_t>>{{2, 2}, {width - 9, 2}, {2, width - 9}}) {
    for (size_t i = 0; i < finder.size(); ++i) {
      EXPECT_EQ(rows[y + i].substr(x, 7), finder[i]) << x << " " << y;
    }
  }
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(rows[i], std::string(width, '.'));
  for (const std::string& row : rows) {
    EXPECT_TRUE(absl::StartsWith(row, "..")) << row;
    EXPECT_TRUE(absl::EndsWith(row, "..")) << row;
  }
}

TEST(QrTextTest, OtherTextsAreOtherCodes) {
  EXPECT_NE(*QrText("bwe_a"), *QrText("bwe_b"));
  EXPECT_EQ(*QrText("bwe_a"), *QrText("bwe_a"));
}

TEST(QrTextTest, WhatFitsIntoNoneIsRefused) {
  EXPECT_FALSE(QrText("").ok());
  EXPECT_FALSE(QrText(std::string(5000, 'x')).ok());
}

}  // namespace
}  // namespace bellwire::cli
