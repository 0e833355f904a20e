#include "gateway/topics/topic_name.h"

#include <string>

#include "common/error.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using ::testing::HasSubstr;

std::string WhyNot(absl::string_view name) {
  const absl::Status status = CheckTopicName(name);
  EXPECT_EQ(ErrorReason(status), "BAD_TOPIC");
  EXPECT_EQ(ErrorField(status), "topic");
  return std::string(status.message());
}

TEST(TopicNameTest, TakesNamesOfFcm) {
  EXPECT_TRUE(CheckTopicName("azAZ09-_.~%").ok());
  EXPECT_TRUE(CheckTopicName(std::string(kMaxTopicNameChars, 'a')).ok());
}

TEST(TopicNameTest, SaysWhatIsWrong) {
  EXPECT_THAT(WhyNot(""), HasSubstr("missing"));
  EXPECT_THAT(WhyNot(std::string(kMaxTopicNameChars + 1, 'a')), HasSubstr("has 901 characters"));
  EXPECT_THAT(WhyNot("/topics/a"), HasSubstr("after 0 good ones"));
  EXPECT_THAT(WhyNot("news today"), HasSubstr("after 4 good ones"));
  EXPECT_THAT(WhyNot("n\xc3\xa4he"), HasSubstr("after 1 good ones"));
  EXPECT_THAT(WhyNot(absl::string_view("a\0b", 3)), HasSubstr("after 1 good ones"));
}

}  // namespace
}  // namespace bellwire::gateway
