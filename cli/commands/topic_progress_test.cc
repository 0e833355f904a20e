#include "cli/commands/topic_progress.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::ElementsAre;

TEST(TopicProgressTest, EndsOnlyWhenItHasEnded) {
  push::v1::TopicMessage message;
  EXPECT_EQ(ProgressOf(message), 0);
  message.set_subscribers(1000);
  message.set_sent(400);
  message.set_passed_over(100);
  EXPECT_EQ(ProgressOf(message), 0.5);
  // More have subscribed since.
  message.set_sent(1200);
  EXPECT_EQ(ProgressOf(message), 0.99);
  message.mutable_end_time()->set_seconds(1);
  EXPECT_EQ(ProgressOf(message), 1);
}

TEST(TopicProgressTest, DrawsABar) {
  EXPECT_EQ(RenderBar(0), "[--------------------]   0 %");
  EXPECT_EQ(RenderBar(0.5), "[##########----------]  50 %");
  EXPECT_EQ(RenderBar(0.99), "[###################-]  99 %");
  EXPECT_EQ(RenderBar(1), "[####################] 100 %");
}

TEST(TopicProgressTest, SetsThousandsApart) {
  EXPECT_EQ(RenderCount(0), "0");
  EXPECT_EQ(RenderCount(999), "999");
  EXPECT_EQ(RenderCount(1000), "1,000");
  EXPECT_EQ(RenderCount(1234567), "1,234,567");
}

TEST(TopicProgressTest, SumsSteps) {
  push::v1::TopicMessage message;
  message.set_message_id("id");
  message.set_topic("news");
  message.set_state(push::v1::TopicMessage::DONE);
  message.set_sent(2000);
  auto* step = message.add_steps();
  step->set_step(push::v1::APP_ACKED);
  step->set_messages(1500);
  EXPECT_THAT(StepRows(message), ElementsAre(ElementsAre("APP_ACKED", "1,500", "75.0 %")));
  const nlohmann::ordered_json json = ToJson(message);
  EXPECT_EQ(json["state"], "DONE");
  EXPECT_EQ(json["steps"]["APP_ACKED"], 1500);
  EXPECT_FALSE(json.contains("condition"));
  EXPECT_FALSE(json.contains("end_time"));
}

}  // namespace
}  // namespace bellwire::cli
