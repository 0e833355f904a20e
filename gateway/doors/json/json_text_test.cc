#include "gateway/doors/json/json_text.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

std::string Reason(absl::string_view text, JsonBounds bounds = {}) {
  return ErrorReason(ParseJsonValue(text, bounds).status());
}

std::string Nested(size_t depth) {
  return absl::StrCat(std::string(depth, '['), std::string(depth, ']'));
}

TEST(JsonTextTest, ParsesWhatIsWithinTheBounds) {
  const auto value = ParseJsonValue(R"({"a":[1,null,"\u00e4"],"b":{"a":true}})", {});
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ((*value)["a"][2], "\xc3\xa4");
  EXPECT_EQ(Reason(Nested(8)), "");
  EXPECT_EQ(Reason("[1,2,3]", {.values = 4}), "");
}

TEST(JsonTextTest, RefusesWhatIsBeyondThem) {
  EXPECT_EQ(Reason(Nested(9)), "JSON_TOO_DEEP");
  EXPECT_EQ(Reason(std::string(1'000'000, '[')), "JSON_TOO_DEEP");
  EXPECT_EQ(Reason("[1,2,3]", {.values = 3}), "JSON_TOO_LARGE");
}

TEST(JsonTextTest, RefusesWhatTwoReadersWouldReadDifferently) {
  EXPECT_EQ(Reason(R"({"a":1,"a":2})"), "DUPLICATE_FIELD");
  EXPECT_EQ(Reason(R"({"a":1,"\u0061":2})"), "DUPLICATE_FIELD");
  EXPECT_EQ(Reason(R"([{"a":1},{"a":2}])"), "");
  for (const char* text : {"", "{", "1 2", R"("\ud800")", R"("\udc00\ud800")", "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\"", "[1,]", "nul", "1e999"}) {
    EXPECT_EQ(Reason(text), "MALFORMED_JSON") << text;
  }
}

TEST(JsonTextTest, WritesUtf8Whatever) {
  EXPECT_EQ(DumpJson({{"b", "\xff"}, {"a", 1}}), "{\"b\":\"\xef\xbf\xbd\",\"a\":1}");
}

}  // namespace
}  // namespace bellwire::gateway
