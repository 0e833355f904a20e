#include "rpc/topic_name.h"

#include <string>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(TopicNameTest, HasTheCharactersOfFcmAndItsLength) {
  EXPECT_TRUE(IsValidTopicName("a"));
  EXPECT_TRUE(IsValidTopicName("Weather-2026_north.de~x%20"));
  EXPECT_TRUE(IsValidTopicName(std::string(kMaxTopicNameChars, 'a')));
  EXPECT_FALSE(IsValidTopicName(std::string(kMaxTopicNameChars + 1, 'a')));
  EXPECT_FALSE(IsValidTopicName(""));
  for (const char* bad : {"/topics/a", "a b", "a'", "a\n", "\xc3\xa4", "a&b", "a*"}) {
    EXPECT_FALSE(IsValidTopicName(bad)) << bad;
  }
  EXPECT_FALSE(IsValidTopicName(absl::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace bellwire
