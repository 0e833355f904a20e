#include "common/base64.h"

#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(Base64Test, DecodesWhatEncodersWrite) {
  std::string bytes;
  for (int size = 0; size < 70; ++size) {
    const std::string url = absl::WebSafeBase64Escape(bytes);
    EXPECT_EQ(DecodeBase64Url(url), bytes) << url;
    EXPECT_EQ(DecodeAnyBase64(url), bytes) << url;
    EXPECT_EQ(DecodeAnyBase64(absl::Base64Escape(bytes)), bytes) << absl::Base64Escape(bytes);
    // So that all digits come.
    bytes.push_back(static_cast<char>(255 - 37 * size));
  }
  EXPECT_EQ(DecodeAnyBase64("-_8="), "\xfb\xff");
  EXPECT_EQ(DecodeAnyBase64("+/8"), "\xfb\xff");
}

TEST(Base64Test, EachTextIsAValueOfItsOwn) {
  // "a" and "ab", and every other last digit that would give the same bytes.
  EXPECT_EQ(DecodeBase64Url("YQ"), "a");
  EXPECT_EQ(DecodeBase64Url("YWI"), "ab");
  int others = 0;
  for (const char c : absl::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_")) {
    for (const absl::string_view head : {"Y", "YW"}) {
      const std::string text = absl::StrCat(head, std::string(1, c));
      std::string loose;
      if (text == "YQ" || text == "YWI" || !absl::WebSafeBase64Unescape(text, &loose)) continue;
      if (loose != "a" && loose != "ab") continue;
      ++others;
      EXPECT_FALSE(IsBase64Url(text)) << text;
      EXPECT_EQ(DecodeAnyBase64(text), std::nullopt) << text;
      EXPECT_EQ(DecodeAnyBase64(text + (text.size() == 2 ? "==" : "=")), std::nullopt) << text;
    }
  }
  EXPECT_EQ(others, 15 + 3);
}

TEST(Base64Test, RefusesEverythingElse) {
  for (const char* text : {"A", "AAAAA", "YQ=", "YQ==", "YQ.", "Y Q", " YQ", "YQ\n", "Y\vQ", "+/8",
                           "Y\xc3\xa9", "YQ=="}) {
    EXPECT_EQ(DecodeBase64Url(text), std::nullopt) << text;
  }
  for (const char* text : {"A", "A===", "====", "=", "==", "YQ=", "YWI==", "YWJj=", "YWJj====",
                           "Y=Q=", "YQ==YQ==", "YQ..", "Y Q=", "YQ==\n", "+_8=", "-/8"}) {
    EXPECT_EQ(DecodeAnyBase64(text), std::nullopt) << text;
  }
  EXPECT_EQ(DecodeBase64Url(absl::string_view("YQ\0", 3)), std::nullopt);
  EXPECT_EQ(DecodeAnyBase64(""), "");
}

}  // namespace
}  // namespace bellwire
