#include "gateway/topics/fan_outs.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gateway/topics/condition.h"
#include "gateway/topics/fan_out_id.h"
#include "gateway/topics/testing/topic_registry_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/simulated/simulated_loop.h"

namespace bellwire::gateway {
namespace {

using ::testing::UnorderedElementsAre;
using Name = TopicRegistryModel::Name;

constexpr char kTeam[] = "teamteam22";

class FanOutsTest : public testing::Test {
 protected:
  // A device with a registration that is subscribed to these.
  TopicRegistryModel::Registration& Subscribe(int number, std::vector<std::string> topics) {
    TopicRegistryModel::Registration& registration = registry.registrations[NameOf(number)];
    registration.topics.insert(topics.begin(), topics.end());
    return registration;
  }
  static Name NameOf(int number) { return {absl::StrCat("device", 1'000'000'000 + number), 7}; }

  internal::v1::PublishTopicRequest Message(const std::string& condition) {
    internal::v1::PublishTopicRequest request;
    request.set_team_id(kTeam);
    request.set_message_id(std::string(NewMessageId().bytes()));
    request.set_condition(condition);
    const Condition parsed = *Condition::Parse(condition);
    for (const std::string& topic : parsed.topics()) request.add_topics(topic);
    request.mutable_message()->set_payload("news");
    request.mutable_message()->set_accepted_at_ms(WallNowMs(clock));
    request.mutable_message()->set_expires_at_ms(WallNowMs(clock) + 3'600'000);
    return request;
  }
  internal::v1::PublishTopicRequest NewsMessage() { return Message("'news' in topics"); }

  std::unique_ptr<FanOuts> NewGateway(FanOuts::Options options = {}) {
    options.world = {.topics = &registry, .mailboxes = &registry, .loop = &loop, .post = Poster()};
    auto gateway = std::make_unique<FanOuts>(options);
    gateway->Start();
    return gateway;
  }
  PostTask Poster() {
    return [this](absl::AnyInvocable<void() &&> task) { loop.Post(std::move(task)); };
  }

  bool RunUntilAllEnded(absl::Duration limit = absl::Minutes(10)) {
    return loop.RunUntil(
        [this] {
          for (const auto& message : registry.messages) {
            if (!message.ended) return false;
          }
          return true;
        },
        limit);
  }
  // Numbers of registrations below `end` that got something.
  std::vector<int> Reached(int end) {
    std::vector<int> reached;
    for (int i = 0; i < end; ++i) {
      if (!registry.registrations[NameOf(i)].accepted.empty()) reached.push_back(i);
    }
    return reached;
  }

  SimulatedClock clock;
  net::SimulatedLoop loop{&clock};
  TopicRegistryModel registry{&loop, 1};
};

TEST_F(FanOutsTest, EachSubscriberGetsOneMessageUnderItsOwnId) {
  constexpr int kSubscribers = 2000;
  for (int i = 0; i < kSubscribers; ++i) Subscribe(i, {"news"});
  Subscribe(kSubscribers, {"sports"});
  registry.Add(NewsMessage());
  const auto gateway = NewGateway();
  ASSERT_TRUE(RunUntilAllEnded());
  const TopicRegistryModel::TopicMessage& message = registry.messages[0];
  EXPECT_EQ(message.sent, kSubscribers);
  EXPECT_EQ(message.passed_over, 0);
  EXPECT_EQ(registry.appends, kSubscribers);
  const MessageId topic_message = *MessageId::FromBytes(message.request.message_id());
  for (int i = 0; i < kSubscribers; ++i) {
    const Name name = NameOf(i);
    const auto& mailbox = registry.registrations[name].mailbox;
    ASSERT_EQ(mailbox.size(), 1) << i;
    EXPECT_EQ(mailbox[0].payload(), "news");
    EXPECT_EQ(mailbox[0].topic_message_id(), message.request.message_id());
    EXPECT_EQ(mailbox[0].registration_id(), name.second);
    EXPECT_EQ(
        mailbox[0].message_id(),
        FanOutMessageId(topic_message, *DeviceId::FromBytes(name.first), name.second).bytes());
  }
  EXPECT_TRUE(registry.registrations[NameOf(kSubscribers)].mailbox.empty());
}

TEST_F(FanOutsTest, SendsToWhomTheConditionHoldsFor) {
  Subscribe(0, {"a"});
  Subscribe(1, {"a", "b"});
  Subscribe(2, {"a", "c"});
  Subscribe(3, {"a", "b", "c"});
  Subscribe(4, {"b", "c"});
  registry.Add(Message("'a' in topics && ('b' in topics || !('c' in topics))"));
  const auto gateway = NewGateway();
  ASSERT_TRUE(RunUntilAllEnded());
  EXPECT_THAT(Reached(5), UnorderedElementsAre(0, 1, 3));
  EXPECT_EQ(registry.messages[0].sent, 3);
  EXPECT_EQ(registry.messages[0].passed_over, 2);
}

TEST_F(FanOutsTest, AnAppThatIsNamed) {
  Subscribe(0, {"news"});
  Subscribe(1, {"news"}).app_id = "com.example.other";
  registry.Add(NewsMessage());
  registry.messages[0].request.set_app_id("com.example.other");
  const auto gateway = NewGateway();
  ASSERT_TRUE(RunUntilAllEnded());
  EXPECT_THAT(Reached(2), UnorderedElementsAre(1));
}

TEST_F(FanOutsTest, DeadTokensLeaveTheTopicAndFullMailboxesArePassedOver) {
  Subscribe(0, {"news"});
  Subscribe(1, {"news"}).alive = false;
  Subscribe(2, {"news"}).full = true;
  registry.Add(NewsMessage());
  const auto gateway = NewGateway();
  ASSERT_TRUE(RunUntilAllEnded());
  loop.RunFor(absl::Seconds(1));
  EXPECT_THAT(Reached(3), UnorderedElementsAre(0));
  EXPECT_EQ(registry.messages[0].sent, 1);
  EXPECT_EQ(registry.messages[0].passed_over, 2);
  EXPECT_TRUE(registry.registrations[NameOf(1)].topics.empty());
  EXPECT_EQ(registry.registrations[NameOf(2)].topics.count("news"), 1);
}

TEST_F(FanOutsTest, NowOrNeverWaitsInTheMailboxForAMoment) {
  Subscribe(0, {"news"});
  registry.Add(NewsMessage());
  internal::v1::Envelope& envelope = *registry.messages[0].request.mutable_message();
  envelope.set_expires_at_ms(envelope.accepted_at_ms());
  clock.Advance(absl::Minutes(1));
  const auto gateway = NewGateway();
  ASSERT_TRUE(RunUntilAllEnded());
  const auto& mailbox = registry.registrations[NameOf(0)].mailbox;
  ASSERT_EQ(mailbox.size(), 1);
  EXPECT_EQ(mailbox[0].expires_at_ms() - mailbox[0].accepted_at_ms(),
            absl::ToInt64Milliseconds(kNowOrNeverWait));
  EXPECT_GT(mailbox[0].expires_at_ms(), WallNowMs(clock));
}

TEST_F(FanOutsTest, WhatHasExpiredIsNotSent) {
  Subscribe(0, {"news"});
  registry.Add(NewsMessage());
  clock.Advance(absl::Hours(2));
  const auto gateway = NewGateway();
  ASSERT_TRUE(RunUntilAllEnded());
  EXPECT_THAT(Reached(1), UnorderedElementsAre());
  EXPECT_EQ(registry.messages[0].passed_over, 1);
  EXPECT_EQ(registry.appends, 0);
}

TEST_F(FanOutsTest, KeepsToTheRate) {
  for (int i = 0; i < 1000; ++i) Subscribe(i, {"news"});
  registry.Add(NewsMessage());
  FanOuts::Options options;
  options.settings.most_per_second = 100;
  const auto gateway = NewGateway(options);
  loop.RunFor(absl::Seconds(5));
  EXPECT_GE(registry.appends, 450);
  EXPECT_LE(registry.appends, 510);
}

TEST_F(FanOutsTest, TwoFanOutsShareThePace) {
  for (int i = 0; i < 4000; ++i) Subscribe(i, {i % 2 == 0 ? "even" : "odd"});
  registry.Add(Message("'even' in topics"));
  registry.Add(Message("'odd' in topics"));
  FanOuts::Options options;
  options.settings.most_per_second = 1000;
  const auto gateway = NewGateway(options);
  loop.RunFor(absl::Seconds(2));
  EXPECT_EQ(gateway->running(), 2);
  EXPECT_NEAR(registry.messages[0].sent, registry.messages[1].sent, 512);
  EXPECT_GT(registry.messages[1].sent, 0);
}

TEST_F(FanOutsTest, WaitsForTheRegistryAndGoesOn) {
  for (int i = 0; i < 3000; ++i) Subscribe(i, {"news"});
  registry.Add(NewsMessage());
  FanOuts::Options options;
  options.settings.most_per_second = 1000;
  const auto gateway = NewGateway(options);
  loop.RunFor(absl::Seconds(1));
  registry.away = true;
  loop.RunFor(absl::Minutes(5));
  const int64_t meanwhile = registry.appends;
  EXPECT_LT(meanwhile, 3000);
  registry.away = false;
  ASSERT_TRUE(RunUntilAllEnded());
  EXPECT_EQ(registry.messages[0].sent, 3000);
  for (int i = 0; i < 3000; ++i) {
    EXPECT_EQ(registry.registrations[NameOf(i)].mailbox.size(), 1) << i;
  }
}

TEST_F(FanOutsTest, ADrainGivesTheClaimBackAndAnotherGoesOn) {
  for (int i = 0; i < 3000; ++i) Subscribe(i, {"news"});
  registry.Add(NewsMessage());
  FanOuts::Options options;
  options.settings.most_per_second = 1000;
  auto gateway = NewGateway(options);
  loop.RunFor(absl::Seconds(1));
  bool drained = false;
  gateway->Drain([&] { drained = true; });
  ASSERT_TRUE(loop.RunUntil([&] { return drained; }, absl::Seconds(1)));
  EXPECT_EQ(registry.messages[0].gateway, "");
  const int64_t appends = registry.appends;
  EXPECT_EQ(registry.messages[0].sent, appends);
  gateway.reset();
  // No lease has to pass.
  const auto other = NewGateway();
  const MonotonicTime began = clock.Monotonic();
  ASSERT_TRUE(RunUntilAllEnded());
  EXPECT_LT(clock.Monotonic() - began, FanOut::kLease);
  EXPECT_EQ(registry.messages[0].sent, 3000);
  EXPECT_EQ(registry.appends, 3000);
}

TEST_F(FanOutsTest, ALostClaimEndsIt) {
  for (int i = 0; i < 3000; ++i) Subscribe(i, {"news"});
  registry.Add(NewsMessage());
  FanOuts::Options options;
  options.settings.most_per_second = 1000;
  const auto gateway = NewGateway(options);
  loop.RunFor(absl::Seconds(1));
  ASSERT_EQ(gateway->running(), 1);
  // As another gateway would.
  registry.messages[0].gateway = "another";
  registry.messages[0].lease_end = clock.Boottime() + absl::Hours(1);
  loop.RunFor(absl::Seconds(2));
  EXPECT_EQ(gateway->running(), 0);
  const int64_t appends = registry.appends;
  loop.RunFor(absl::Minutes(1));
  EXPECT_EQ(registry.appends, appends);
}

TEST_F(FanOutsTest, ARecallTakesBackWhatWasSentAndStopsTheRest) {
  for (int i = 0; i < 3000; ++i) Subscribe(i, {"news"});
  registry.Add(NewsMessage());
  FanOuts::Options options;
  options.settings.most_per_second = 1000;
  const auto gateway = NewGateway(options);
  loop.RunFor(absl::Milliseconds(1500));
  registry.AskRecall(registry.messages[0]);
  ASSERT_TRUE(RunUntilAllEnded());
  EXPECT_TRUE(registry.messages[0].recalling);
  EXPECT_GT(registry.appends, 1000);
  EXPECT_LT(registry.appends, 3000);
  EXPECT_EQ(registry.messages[0].sent, registry.appends);
  for (int i = 0; i < 3000; ++i) {
    const auto& registration = registry.registrations[NameOf(i)];
    EXPECT_EQ(registration.recalled.size(), registration.accepted.size()) << i;
  }
}

TEST_F(FanOutsTest, ARecallFindsWhatAKilledGatewayHadNotNoted) {
  for (int i = 0; i < 3000; ++i) Subscribe(i, {"news"});
  registry.Add(NewsMessage());
  FanOuts::Options options;
  options.settings.most_per_second = 2000;
  auto gateway = NewGateway(options);
  loop.RunFor(absl::Milliseconds(950));
  gateway.reset();
  loop.RunFor(absl::Seconds(1));
  ASSERT_GT(registry.appends, registry.messages[0].sent);
  registry.AskRecall(registry.messages[0]);
  gateway = NewGateway();
  ASSERT_TRUE(RunUntilAllEnded());
  for (int i = 0; i < 3000; ++i) {
    const auto& registration = registry.registrations[NameOf(i)];
    EXPECT_EQ(registration.recalled.size(), registration.accepted.size()) << i;
  }
}

}  // namespace
}  // namespace bellwire::gateway
