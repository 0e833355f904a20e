#include "device-agent/core/topic_changes.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";

class TopicChangesTest : public ::testing::Test, protected TopicChanges::Owner {
 protected:
  TopicChangesTest() { changes_.OnSessionStart(); }

  void SendTopicChange(const device::v1::AgentFrame& frame) override {
    sent_.push_back(frame.topic_change());
  }
  void OnTopicChanged(const std::string& app_id, const v1::ChangeTopic& change,
                      TopicChanges::Outcome outcome) override {
    answers_.push_back(absl::StrCat(app_id == kMail ? "mail " : "chat ",
                                    change.subscribed() ? "+" : "-", change.topic(), " ",
                                    v1::TopicChanged::Outcome_Name(outcome)));
  }

  void Ask(const std::string& topic, bool subscribed = true, const std::string& app = kMail,
           uid_t uid = 1) {
    v1::ChangeTopic change;
    change.set_topic(topic);
    change.set_subscribed(subscribed);
    changes_.Ask(app, uid, app == kMail ? 7 : 8, change);
  }
  void Answer(uint32_t request_id,
              device::v1::TopicChanged::Outcome outcome = device::v1::TopicChanged::OK) {
    device::v1::TopicChanged answer;
    answer.set_request_id(request_id);
    answer.set_outcome(outcome);
    changes_.OnAnswer(answer);
  }

  SimulatedClock clock_;
  std::vector<device::v1::TopicChange> sent_;
  std::vector<std::string> answers_;
  TopicChanges changes_{&clock_, this};
};

TEST_F(TopicChangesTest, AChangeGoesToTheServerAndItsAnswerBack) {
  Ask("news");
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent_[0].registration_id(), 7u);
  EXPECT_EQ(sent_[0].topic(), "news");
  EXPECT_TRUE(sent_[0].subscribed());
  EXPECT_THAT(answers_, IsEmpty());
  Answer(sent_[0].request_id());
  EXPECT_THAT(answers_, ElementsAre("mail +news OK"));
  Answer(sent_[0].request_id());
  EXPECT_EQ(answers_.size(), 1u) << "a second answer is nobody's";
}

TEST_F(TopicChangesTest, EachOutcomeOfTheServerIsToldAndLaterOnesAreUnavailable) {
  using Server = device::v1::TopicChanged;
  const std::vector<std::pair<int, std::string>> outcomes = {
      {Server::OK, "OK"},
      {Server::BAD_TOPIC, "BAD_TOPIC"},
      {Server::LIMIT_REACHED, "LIMIT_REACHED"},
      {Server::UNREGISTERED, "UNREGISTERED"},
      {Server::UNAVAILABLE, "UNAVAILABLE"},
      {0, "UNAVAILABLE"},
      {99, "UNAVAILABLE"}};
  for (const auto& [outcome, name] : outcomes) {
    Ask("news", false);
    Answer(sent_.back().request_id(), static_cast<Server::Outcome>(outcome));
    EXPECT_EQ(answers_.back(), absl::StrCat("mail -news ", name));
  }
}

TEST_F(TopicChangesTest, WhatCanNotBeIsSaidAtOnce) {
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("/topics/a"),
                                 std::string(kMaxTopicNameChars + 1, 'a')}) {
    Ask(bad);
    EXPECT_EQ(answers_.back(), absl::StrCat("mail +", bad, " BAD_TOPIC"));
  }
  changes_.OnSessionEnd();
  Ask("news");
  EXPECT_EQ(answers_.back(), "mail +news NOT_CONNECTED");
  EXPECT_THAT(sent_, IsEmpty());
}

TEST_F(TopicChangesTest, ASessionsEndEndsAll) {
  for (int i = 0; i < 40; ++i) Ask(absl::StrCat("t", i));
  changes_.OnSessionEnd();
  EXPECT_EQ(answers_.size(), 40u);
  EXPECT_THAT(answers_, ::testing::Each(::testing::EndsWith(" NOT_CONNECTED")));
  EXPECT_EQ(changes_.deadline(), std::nullopt);
  changes_.OnSessionStart();
  Ask("news");
  EXPECT_EQ(sent_.back().topic(), "news");
}

TEST_F(TopicChangesTest, ChangesOfOneTopicDoNotOvertakeEachOther) {
  Ask("news", true);
  Ask("news", false);
  Ask("news", true);
  Ask("mail", true);
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(sent_[1].topic(), "mail");
  Answer(sent_[0].request_id());
  ASSERT_EQ(sent_.size(), 3u);
  EXPECT_FALSE(sent_[2].subscribed());
  // The same name is another topic for another app.
  Ask("news", true, kChat);
  ASSERT_EQ(sent_.size(), 4u);
  Answer(sent_[2].request_id());
  ASSERT_EQ(sent_.size(), 5u);
  Answer(sent_[4].request_id());
  EXPECT_THAT(answers_, ElementsAre("mail +news OK", "mail -news OK", "mail +news OK"));
}

TEST_F(TopicChangesTest, AServerThatNeverAnswersIsGivenUp) {
  const MonotonicTime begin = clock_.Monotonic();
  Ask("news");
  clock_.Advance(absl::Seconds(1));
  Ask("mail");
  EXPECT_EQ(*changes_.deadline(), begin + kTopicChangeTimeout);
  changes_.OnDeadline();
  EXPECT_THAT(answers_, IsEmpty());
  clock_.Advance(kTopicChangeTimeout - absl::Seconds(1));
  changes_.OnDeadline();
  EXPECT_THAT(answers_, ElementsAre("mail +news UNAVAILABLE"));
  Answer(sent_[0].request_id());
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(TopicChangesTest, UsersTakeTurnsAndOneCanNotTakeAllPlaces) {
  for (size_t i = 0; i < kMaxTopicChanges; ++i) Ask(absl::StrCat("t", i));
  EXPECT_EQ(sent_.size(), kMaxTopicChangesUnderWay);
  EXPECT_EQ(answers_.back(), absl::StrCat("mail +t", kMaxTopicChanges - 1, " LIMIT_REACHED"));
  const size_t refused = answers_.size();
  Ask("mine", true, kChat, 2);
  EXPECT_EQ(answers_.size(), refused) << "there is a place for another user";
  Answer(sent_[0].request_id());
  Answer(sent_[1].request_id());
  EXPECT_THAT((std::vector<std::string>{sent_[sent_.size() - 2].topic(), sent_.back().topic()}),
              ::testing::Contains("mine"))
      << "who has hundreds of them does not come first";
}

TEST_F(TopicChangesTest, WhoHasGoneIsToldNothingAndHoldsNoPlace) {
  for (size_t i = 0; i < 2 * kMaxTopicChangesUnderWay; ++i) Ask(absl::StrCat("t", i));
  changes_.Forget(kMail);
  Ask("chat", true, kChat);
  for (size_t i = 0; i < kMaxTopicChangesUnderWay; ++i) Answer(sent_[i].request_id());
  EXPECT_THAT(answers_, IsEmpty());
  ASSERT_EQ(sent_.size(), kMaxTopicChangesUnderWay + 1) << "what was not sent is not";
  Answer(sent_.back().request_id());
  EXPECT_THAT(answers_, ElementsAre("chat +chat OK"));
}

}  // namespace
}  // namespace bellwire::agent
