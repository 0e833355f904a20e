// What apps change about their topics, from their socket to the server and back.

#include <memory>
#include <string>
#include <vector>

#include "device-agent/core/topic_changes.h"
#include "device-agent/testing/agent_core_fixture.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using Strings = std::vector<std::string>;

constexpr char kMail[] = "com.example.mail";

using AgentCoreTopicsTest = AgentCoreFixture;

TEST_F(AgentCoreTopicsTest, AChangeReachesTheServerAndItsAnswerTheApp) {
  auto app = App(kMail);
  app->ChangeTopic("news", true);
  app->ChangeTopic("sport", false);
  Run(kSoon);
  EXPECT_EQ(server_.topic_changes, (Strings{"+news", "-sport"}));
  EXPECT_EQ(app->topic_changes, (Strings{"+news OK", "-sport OK"}));
  server_.topic_outcome = device::v1::TopicChanged::LIMIT_REACHED;
  app->ChangeTopic("more", true);
  Run(kSoon);
  EXPECT_EQ(app->topic_changes.back(), "+more LIMIT_REACHED");
}

TEST_F(AgentCoreTopicsTest, WithoutASessionTheAnswerComesAtOnce) {
  auto app = App(kMail);
  network_.StopListening(kServer);
  server_.Drop();
  Run(absl::Milliseconds(20));
  app->ChangeTopic("news", true);
  Run(absl::Milliseconds(20));
  EXPECT_EQ(app->topic_changes, Strings{"+news NOT_CONNECTED"});
}

TEST_F(AgentCoreTopicsTest, ASessionThatEndsEndsItsQuestions) {
  server_.topic_outcome.reset();
  auto app = App(kMail);
  app->ChangeTopic("news", true);
  Run(kSoon);
  EXPECT_EQ(server_.topic_changes, Strings{"+news"});
  EXPECT_EQ(app->topic_changes, Strings{});
  server_.Drop();
  Run(absl::Milliseconds(20));
  EXPECT_EQ(app->topic_changes, Strings{"+news NOT_CONNECTED"});
}

TEST_F(AgentCoreTopicsTest, AServerThatKnowsNoTopicsIsWaitedForAMinute) {
  server_.topic_outcome.reset();
  auto app = App(kMail);
  app->ChangeTopic("news", true);
  Run(kTopicChangeTimeout - absl::Seconds(1));
  EXPECT_EQ(app->topic_changes, Strings{});
  Run(absl::Seconds(2));
  EXPECT_EQ(app->topic_changes, Strings{"+news UNAVAILABLE"});
}

TEST_F(AgentCoreTopicsTest, AnAppThatComesAgainHearsNothingOfWhatItAskedBefore) {
  server_.topic_outcome.reset();
  auto before = App(kMail);
  before->ChangeTopic("news", true);
  Run(kSoon);
  before->Close();
  auto app = App(kMail);
  Run(kTopicChangeTimeout + kSoon);
  EXPECT_EQ(app->topic_changes, Strings{});
}

}  // namespace
}  // namespace bellwire::agent
