#include "ops/suggestion.h"

#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(SuggestionTest, TheNearestNameWithinReach) {
  EXPECT_EQ(Nearest("shrads", {"listen", "shards"}), "shards");
  EXPECT_EQ(Nearest("ready-file", {"ready_file", "ready_fire"}), "ready_file");
  EXPECT_EQ(Nearest("unlike_anything", {"listen", "shards"}), "");
  EXPECT_EQ(Nearest("", {"a"}), "");
  // Two letters of two are another word.
  EXPECT_EQ(Nearest("ab", {"cd"}), "");
}

TEST(SuggestionTest, NothingIsSuggestedWhereNothingIsNear) {
  EXPECT_EQ(WithSuggestion("no x", "y"), "no x; is y meant?");
  EXPECT_EQ(WithSuggestion("no x", ""), "no x");
}

}  // namespace
}  // namespace bellwire
