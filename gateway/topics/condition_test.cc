#include "gateway/topics/condition.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kA = 1, kB = 2, kC = 4;

// The sets of topics that fulfil it, of all that there are.
std::vector<uint32_t> SetsOf(absl::string_view text) {
  const absl::StatusOr<Condition> condition = Condition::Parse(text);
  EXPECT_TRUE(condition.ok()) << condition.status();
  std::vector<uint32_t> sets;
  if (!condition.ok()) return sets;
  for (uint32_t set = 0; set < (1u << condition->topics().size()); ++set) {
    if (condition->HoldsFor(set)) sets.push_back(set);
  }
  return sets;
}

std::string WhyNot(absl::string_view text) {
  const absl::StatusOr<Condition> condition = Condition::Parse(text);
  EXPECT_FALSE(condition.ok()) << text;
  EXPECT_EQ(ErrorReason(condition.status()), "BAD_CONDITION");
  EXPECT_EQ(ErrorField(condition.status()), "condition");
  return std::string(condition.status().message());
}

std::string In(absl::string_view topic) { return absl::StrCat("'", topic, "' in topics"); }

TEST(ConditionTest, OneTopic) {
  EXPECT_THAT(SetsOf("'a' in topics"), ElementsAre(kA));
  const Condition topic = Condition::OfTopic("news");
  EXPECT_THAT(topic.topics(), ElementsAre("news"));
  EXPECT_TRUE(topic.HoldsFor(1));
  EXPECT_FALSE(topic.HoldsFor(0));
}

TEST(ConditionTest, AndOrNot) {
  EXPECT_THAT(SetsOf("'a' in topics && 'b' in topics"), ElementsAre(kA | kB));
  EXPECT_THAT(SetsOf("'a' in topics || 'b' in topics"), ElementsAre(kA, kB, kA | kB));
  EXPECT_THAT(SetsOf("'a' in topics && !('b' in topics)"), ElementsAre(kA));
  EXPECT_THAT(SetsOf("'a' in topics && !'b' in topics"), ElementsAre(kA));
  EXPECT_THAT(SetsOf("'a' in topics && !!('b' in topics)"), ElementsAre(kA | kB));
}

TEST(ConditionTest, TheExampleOfThePages) {
  EXPECT_THAT(SetsOf("'a' in topics && ('b' in topics || !('c' in topics))"),
              ElementsAre(kA, kA | kB, kA | kB | kC));
}

TEST(ConditionTest, GoesFromLeftToRight) {
  // (a || b) && c, where C would read a || (b && c).
  EXPECT_THAT(SetsOf("'a' in topics || 'b' in topics && 'c' in topics"),
              ElementsAre(kA | kC, kB | kC, kA | kB | kC));
  EXPECT_THAT(SetsOf("'a' in topics && 'b' in topics || 'c' in topics"),
              ElementsAre(kA | kB, kC, kA | kC, kB | kC, kA | kB | kC));
  EXPECT_THAT(SetsOf("'a' in topics || ('b' in topics && 'c' in topics)"),
              ElementsAre(kA, kA | kB, kA | kC, kB | kC, kA | kB | kC));
}

TEST(ConditionTest, ATopicThatIsNamedTwiceIsOne) {
  const absl::StatusOr<Condition> condition =
      Condition::Parse("('x' in topics && 'y' in topics) || ('x' in topics && 'z' in topics)");
  ASSERT_TRUE(condition.ok()) << condition.status();
  EXPECT_THAT(condition->topics(), ElementsAre("x", "y", "z"));
}

TEST(ConditionTest, WhiteSpaceIsFree) {
  EXPECT_THAT(SetsOf("\t'a'in topics&&(\n'b' in\ttopics ) "), ElementsAre(kA | kB));
}

TEST(ConditionTest, EveryCharacterOfATopic) {
  const absl::StatusOr<Condition> condition = Condition::Parse(In("aZ09-_.~%"));
  ASSERT_TRUE(condition.ok()) << condition.status();
  EXPECT_THAT(condition->topics(), ElementsAre("aZ09-_.~%"));
}

TEST(ConditionTest, FiveTopicsAndNotSix) {
  std::string text = In("t0");
  for (size_t i = 1; i < kMaxConditionTopics; ++i)
    absl::StrAppend(&text, " && ", In(absl::StrCat("t", i)));
  EXPECT_THAT(SetsOf(text), ElementsAre((1u << kMaxConditionTopics) - 1));
  EXPECT_THAT(WhyNot(absl::StrCat(text, " && ", In("t5"))),
              HasSubstr("its topic number 6; at most 5 are allowed"));
}

TEST(ConditionTest, SomeTopicMustBeNeeded) {
  EXPECT_THAT(WhyNot("!('a' in topics)"), HasSubstr("subscribed to none"));
  EXPECT_THAT(WhyNot("!('a' in topics) && !('b' in topics)"), HasSubstr("subscribed to none"));
  EXPECT_THAT(WhyNot("'a' in topics || !('b' in topics)"), HasSubstr("subscribed to none"));
}

TEST(ConditionTest, SaysWhere) {
  EXPECT_THAT(WhyNot(""), HasSubstr("The condition ends where 'TOPIC' in topics"));
  EXPECT_THAT(WhyNot("'a' in topics &&"), HasSubstr("ends where 'TOPIC' in topics"));
  EXPECT_THAT(WhyNot("'a' in topics 'b' in topics"), HasSubstr("At character 15"));
  EXPECT_THAT(WhyNot("'a' in topics & 'b' in topics"), HasSubstr("At character 15"));
  EXPECT_THAT(WhyNot("('a' in topics"), HasSubstr("ends where \"&&\", \"||\" or \")\""));
  EXPECT_THAT(WhyNot("'a' in topics)"), HasSubstr("At character 14"));
  EXPECT_THAT(WhyNot("'a b' in topics"), HasSubstr("At character 3"));
  EXPECT_THAT(WhyNot("'a"), HasSubstr("ends where a character of a topic"));
  EXPECT_THAT(WhyNot("'' in topics"), HasSubstr("has 0 characters"));
  EXPECT_THAT(WhyNot("'a' topics"),
              HasSubstr("At character 5 of the condition: expected \"in topics\""));
  EXPECT_THAT(WhyNot("'a' in topic"), HasSubstr("At character 8"));
  EXPECT_THAT(WhyNot("'a' in topicsx"), HasSubstr("At character 8"));
  EXPECT_THAT(WhyNot("\"a\" in topics"), HasSubstr("At character 1"));
  EXPECT_THAT(WhyNot("/topics/a"), HasSubstr("At character 1"));
}

TEST(ConditionTest, LengthAndDepthAreBounded) {
  const auto nested = [](size_t depth) {
    return absl::StrCat(std::string(depth, '('), In("a"), std::string(depth, ')'));
  };
  EXPECT_THAT(SetsOf(nested(Condition::kMaxDepth)), ElementsAre(kA));
  EXPECT_THAT(WhyNot(nested(Condition::kMaxDepth + 1)), HasSubstr("more than 16 parentheses"));
  // What is deep only on paper costs no stack.
  EXPECT_THAT(SetsOf(absl::StrCat(std::string(4000, '!'), In("a"))), ElementsAre(kA));
  EXPECT_THAT(WhyNot(std::string(Condition::kMaxChars + 1, ' ')), HasSubstr("has 8193 characters"));
  EXPECT_THAT(WhyNot(In(std::string(kMaxTopicNameChars + 1, 'a'))),
              HasSubstr("has 901 characters"));
}

}  // namespace
}  // namespace bellwire::gateway
