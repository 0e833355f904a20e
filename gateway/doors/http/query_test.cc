#include "gateway/doors/http/query.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(Query, SplitsAPath) {
  EXPECT_EQ(PathOf("/a/b?c=d?e"), "/a/b");
  EXPECT_EQ(QueryOf("/a/b?c=d?e"), "c=d?e");
  EXPECT_EQ(PathOf("/a"), "/a");
  EXPECT_EQ(QueryOf("/a"), "");
  EXPECT_EQ(QueryOf("/a?"), "");
}

TEST(Query, DecodesPercents) {
  EXPECT_EQ(PercentDecode("a%2Fb%2f+"), "a/b/+");
  EXPECT_EQ(PercentDecode("%00"), std::string(1, '\0'));
  EXPECT_EQ(PercentDecode(""), "");
  for (const char* bad : {"%", "%2", "a%g0", "%0g", "%%20"}) {
    EXPECT_EQ(PercentDecode(bad), std::nullopt) << bad;
  }
}

TEST(Query, ParsesParameters) {
  EXPECT_THAT(*ParseQuery("a=1&b=two+words&c&d=x%3Dy&&a=2=3"),
              ElementsAre(Pair("a", "1"), Pair("b", "two words"), Pair("c", ""), Pair("d", "x=y"),
                          Pair("a", "2=3")));
  EXPECT_TRUE(ParseQuery("")->empty());
  EXPECT_EQ(ParseQuery("a=%zz"), std::nullopt);
  EXPECT_EQ(ParseQuery("%=a"), std::nullopt);
  EXPECT_EQ(*FindParameter(*ParseQuery("b=0&a=1&a=2"), "a"), "1");
  EXPECT_EQ(FindParameter({}, "a"), nullptr);
}

}  // namespace
}  // namespace bellwire::http
