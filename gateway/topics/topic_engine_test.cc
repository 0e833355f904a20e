#include "gateway/topics/topic_engine.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gateway/testing/fake_registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kTeam[] = "teamteam22";
constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";

class TopicEngineTest : public testing::Test {
 protected:
  TopicEngineTest() {
    registry.change_subscription = [this](const internal::v1::ChangeSubscriptionRequest& request)
        -> absl::StatusOr<internal::v1::ChangeSubscriptionResponse> {
      changes.push_back(request);
      if (request.registration_id() == 13) {
        return MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "dead");
      }
      internal::v1::ChangeSubscriptionResponse response;
      response.set_created_at_ms(1'500);
      return response;
    };
    registry.publish = [this](const internal::v1::PublishTopicRequest& request)
        -> absl::StatusOr<internal::v1::PublishTopicResponse> {
      published.push_back(request);
      return internal::v1::PublishTopicResponse();
    };
  }

  std::string Token(uint64_t registration) const {
    TokenContents contents;
    contents.device_id = *DeviceId::FromBytes("0123456789abcdef");
    contents.registration_id = registration;
    contents.app_tag = AppTag("com.example.mail");
    return sealer->Seal(contents);
  }

  // What a call answers; REQUIRES that it has done so when it returns.
  template <typename Response, typename Call>
  static absl::StatusOr<Response> AnswerOf(Call call) {
    std::optional<absl::StatusOr<Response>> answer;
    call([&answer](absl::StatusOr<Response> got) { answer = std::move(got); });
    EXPECT_TRUE(answer.has_value());
    if (!answer.has_value()) return absl::InternalError("no answer");
    return *std::move(answer);
  }
  absl::StatusOr<push::v1::SubscribeResponse> Subscribe(const push::v1::SubscribeRequest& request) {
    return AnswerOf<push::v1::SubscribeResponse>(
        [&](auto done) { engine.Subscribe(kTeam, request, std::move(done)); });
  }
  absl::StatusOr<push::v1::PublishResponse> Publish(const push::v1::PublishRequest& request,
                                                    TopicEngine::PublishOptions options = {}) {
    return AnswerOf<push::v1::PublishResponse>(
        [&](auto done) { engine.Publish(kTeam, request, std::move(options), std::move(done)); });
  }
  static push::v1::PublishRequest ToNews() {
    push::v1::PublishRequest request;
    request.set_topic("news");
    request.mutable_message()->set_payload("It rains");
    return request;
  }

  SimulatedClock clock;
  const std::unique_ptr<TokenSealer> sealer = TokenSealer::ForTesting();
  FakeRegistry registry;
  std::vector<internal::v1::ChangeSubscriptionRequest> changes;
  std::vector<internal::v1::PublishTopicRequest> published;
  TeamPlaces calls{{.places = kMaxGatewaySends}};
  TopicEngine engine{
      {.sealer = sealer.get(), .topics = &registry, .calls = &calls, .clock = &clock}};
};

void ExpectError(const absl::Status& status, absl::StatusCode code, absl::string_view reason,
                 absl::string_view field = "") {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(ErrorReason(status), reason) << status;
  EXPECT_EQ(ErrorField(status).value_or(""), field) << status;
}

TEST_F(TopicEngineTest, ResultsAreInTheOrderOfTheTokens) {
  push::v1::SubscribeRequest request;
  request.set_topic("news");
  request.add_tokens(Token(7));
  request.add_tokens("00");
  request.add_tokens(Token(13));
  request.add_tokens(Token(8));
  const auto response = Subscribe(request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->results_size(), 4);
  EXPECT_FALSE(response->results(0).has_error());
  EXPECT_EQ(response->results(1).error().reason(), "BAD_DEVICE_TOKEN");
  EXPECT_EQ(response->results(2).error().reason(), "UNREGISTERED");
  EXPECT_FALSE(response->results(3).has_error());
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].device_id(), "0123456789abcdef");
  EXPECT_EQ(changes[0].registration_id(), 7u);
  EXPECT_EQ(changes[0].team_id(), kTeam);
  EXPECT_EQ(changes[0].topic(), "news");
  EXPECT_TRUE(changes[0].subscribed());
  EXPECT_EQ(calls.taken(), 0u);
}

TEST_F(TopicEngineTest, UnsubscribeIsTheOpposite) {
  push::v1::UnsubscribeRequest request;
  request.set_topic("news");
  request.add_tokens(Token(7));
  const auto response = AnswerOf<push::v1::UnsubscribeResponse>(
      [&](auto done) { engine.Unsubscribe(kTeam, request, std::move(done)); });
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_FALSE(changes[0].subscribed());
}

TEST_F(TopicEngineTest, AsksAboutSomeTokensAtATime) {
  push::v1::SubscribeRequest request;
  request.set_topic("news");
  for (size_t i = 0; i < kMaxBatchMessages; ++i) request.add_tokens(Token(100 + i));
  registry.HoldAnswers();
  std::optional<absl::StatusOr<push::v1::SubscribeResponse>> answer;
  engine.Subscribe(kTeam, request, [&](auto got) { answer = std::move(got); });
  EXPECT_EQ(registry.held(), static_cast<size_t>(TopicEngine::kTokensAtATime));
  EXPECT_EQ(calls.taken(), static_cast<size_t>(TopicEngine::kTokensAtATime));
  EXPECT_FALSE(answer.has_value());
  registry.ReleaseAnswers();
  ASSERT_TRUE(answer.has_value());
  ASSERT_TRUE(answer->ok());
  EXPECT_EQ(changes.size(), kMaxBatchMessages);
  for (const auto& result : (*answer)->results()) EXPECT_FALSE(result.has_error());
  EXPECT_EQ(calls.taken(), 0u);
}

TEST_F(TopicEngineTest, GoesOnWithThePlacesThatThereAre) {
  // The team may hold half of four; others hold one.
  TeamPlaces few({.places = 4});
  const auto held = few.TryTake("another");
  TopicEngine narrow({.sealer = sealer.get(), .topics = &registry, .calls = &few, .clock = &clock});
  push::v1::SubscribeRequest request;
  request.set_topic("news");
  for (int i = 0; i < 20; ++i) request.add_tokens(Token(100 + i));
  registry.HoldAnswers();
  std::optional<absl::StatusOr<push::v1::SubscribeResponse>> answer;
  narrow.Subscribe(kTeam, request, [&](auto got) { answer = std::move(got); });
  EXPECT_EQ(registry.held(), 2u);
  registry.ReleaseAnswers();
  ASSERT_TRUE(answer.has_value());
  for (const auto& result : (*answer)->results()) EXPECT_FALSE(result.has_error());
}

TEST_F(TopicEngineTest, WithoutAnyPlaceTokensFailAlone) {
  TeamPlaces none({.places = 0});
  TopicEngine narrow(
      {.sealer = sealer.get(), .topics = &registry, .calls = &none, .clock = &clock});
  push::v1::SubscribeRequest request;
  request.set_topic("news");
  request.add_tokens(Token(7));
  const auto response = AnswerOf<push::v1::SubscribeResponse>(
      [&](auto done) { narrow.Subscribe(kTeam, request, std::move(done)); });
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->results(0).error().reason(), "OVERLOADED");
  EXPECT_TRUE(changes.empty());
}

TEST_F(TopicEngineTest, LargeChangesAreBounded) {
  push::v1::SubscribeRequest request;
  request.set_topic("news");
  for (int i = 0; i <= TopicEngine::kTokensAtATime; ++i) request.add_tokens(Token(100 + i));
  registry.HoldAnswers();
  std::vector<absl::StatusOr<push::v1::SubscribeResponse>> answers;
  const auto answered = [&](auto got) { answers.push_back(std::move(got)); };
  for (size_t i = 0; i < TopicEngine::kMaxLargeChanges; ++i) {
    engine.Subscribe(kTeam, request, answered);
  }
  // One team has half of them; the rest was refused at once.
  ASSERT_EQ(answers.size(), TopicEngine::kMaxLargeChanges / 2);
  ExpectError(answers[0].status(), absl::StatusCode::kResourceExhausted, "OVERLOADED");
  // Few tokens are no large change.
  request.mutable_tokens()->DeleteSubrange(1, request.tokens_size() - 1);
  registry.ReleaseAnswers();
  EXPECT_TRUE(Subscribe(request).ok());
}

TEST_F(TopicEngineTest, RefusesAsAWholeWhatIsWrongAsAWhole) {
  push::v1::SubscribeRequest request;
  request.set_topic("news today");
  request.add_tokens(Token(7));
  ExpectError(Subscribe(request).status(), absl::StatusCode::kInvalidArgument, "BAD_TOPIC",
              "topic");
  request.set_topic("news");
  request.clear_tokens();
  ExpectError(Subscribe(request).status(), absl::StatusCode::kInvalidArgument, "BATCH_EMPTY",
              "tokens");
  for (size_t i = 0; i <= kMaxBatchMessages; ++i) request.add_tokens("00");
  ExpectError(Subscribe(request).status(), absl::StatusCode::kInvalidArgument, "BATCH_TOO_LARGE",
              "tokens");
  EXPECT_TRUE(changes.empty());
}

TEST_F(TopicEngineTest, OneTokenSaysSinceWhen) {
  const auto changed = AnswerOf<TopicEngine::Changed>([&](auto done) {
    engine.ChangeOne(kTeam, "news", Token(7), /*subscribed=*/true, std::move(done));
  });
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_FALSE(changed->unchanged);
  EXPECT_EQ(changed->created_at_ms, 1'500);
  const auto dead = AnswerOf<TopicEngine::Changed>([&](auto done) {
    engine.ChangeOne(kTeam, "news", Token(13), /*subscribed=*/true, std::move(done));
  });
  ExpectError(dead.status(), absl::StatusCode::kNotFound, "UNREGISTERED");
}

TEST_F(TopicEngineTest, PublishesWhatSendWouldSend) {
  push::v1::PublishRequest request = ToNews();
  request.mutable_message()->set_message_id(kUuid);
  request.mutable_message()->set_collapse_key("weather");
  request.mutable_message()->set_priority(push::v1::PRIORITY_HIGH);
  request.mutable_message()->mutable_ttl()->set_seconds(60);
  TopicEngine::PublishOptions options;
  options.content.set_door(internal::v1::Content::FCM);
  options.app_id = "com.example.mail";
  const auto response = Publish(request, options);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->message_id(), kUuid);
  ASSERT_EQ(published.size(), 1u);
  const internal::v1::PublishTopicRequest& stored = published[0];
  EXPECT_EQ(stored.team_id(), kTeam);
  EXPECT_EQ(stored.message_id(), ParseUuid(kUuid)->bytes());
  EXPECT_EQ(stored.topic(), "news");
  EXPECT_THAT(stored.topics(), ElementsAre("news"));
  EXPECT_EQ(stored.app_id(), "com.example.mail");
  EXPECT_EQ(stored.message().payload(), "It rains");
  EXPECT_EQ(stored.message().collapse_key(), "weather");
  EXPECT_EQ(stored.message().priority(), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(stored.message().content().door(), internal::v1::Content::FCM);
  EXPECT_EQ(stored.message().accepted_at_ms(), WallNowMs(clock));
  EXPECT_EQ(stored.message().expires_at_ms(), WallNowMs(clock) + 60'000);
}

TEST_F(TopicEngineTest, ACondition) {
  push::v1::PublishRequest request = ToNews();
  request.set_condition("'b' in topics && !('a' in topics)");
  const auto response = Publish(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(ParseUuid(response->message_id()).has_value());
  EXPECT_THAT(published[0].topics(), ElementsAre("b", "a"));
  EXPECT_EQ(published[0].topic(), "");
  request.set_condition("!('a' in topics)");
  ExpectError(Publish(request).status(), absl::StatusCode::kInvalidArgument, "BAD_CONDITION",
              "condition");
}

TEST_F(TopicEngineTest, RefusesWhatSendWouldRefuse) {
  push::v1::PublishRequest request = ToNews();
  request.mutable_message()->set_payload(std::string(kMaxPayloadBytes + 1, 'x'));
  ExpectError(Publish(request).status(), absl::StatusCode::kInvalidArgument, "PAYLOAD_TOO_LARGE",
              "message.payload");
  request = ToNews();
  request.mutable_message()->set_message_id("no");
  ExpectError(Publish(request).status(), absl::StatusCode::kInvalidArgument, "BAD_MESSAGE_ID",
              "message.message_id");
  request = ToNews();
  request.mutable_message()->set_token(Token(7));
  ExpectError(Publish(request).status(), absl::StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN",
              "message.token");
  request = ToNews();
  request.clear_target();
  ExpectError(Publish(request).status(), absl::StatusCode::kInvalidArgument, "BAD_TOPIC", "topic");
  EXPECT_TRUE(published.empty());
}

TEST_F(TopicEngineTest, ValidateOnlyStoresNothing) {
  push::v1::PublishRequest request = ToNews();
  request.mutable_message()->set_validate_only(true);
  auto response = Publish(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->message_id(), "");
  request.mutable_message()->set_message_id(kUuid);
  EXPECT_EQ(Publish(request)->message_id(), kUuid);
  request.set_topic("news today");
  ExpectError(Publish(request).status(), absl::StatusCode::kInvalidArgument, "BAD_TOPIC", "topic");
  EXPECT_TRUE(published.empty());
}

TEST_F(TopicEngineTest, TheRegistrysErrorsPass) {
  registry.publish = [](const internal::v1::PublishTopicRequest&)
      -> absl::StatusOr<internal::v1::PublishTopicResponse> {
    return MakeError(absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED", "another message");
  };
  ExpectError(Publish(ToNews()).status(), absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED");
  registry.publish = [](const internal::v1::PublishTopicRequest&)
      -> absl::StatusOr<internal::v1::PublishTopicResponse> {
    return absl::UnavailableError("gone");
  };
  ExpectError(Publish(ToNews()).status(), absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE");
  EXPECT_EQ(calls.taken(), 0u);
}

TEST_F(TopicEngineTest, ListsTopicsPageByPage) {
  std::vector<internal::v1::ListTopicsRequest> asked;
  registry.list_topics = [&](const internal::v1::ListTopicsRequest& request) {
    asked.push_back(request);
    internal::v1::ListTopicsResponse response;
    auto* topic = response.add_topics();
    topic->set_name("news");
    topic->set_subscribers(3);
    response.set_more(request.after().empty());
    return response;
  };
  push::v1::ListTopicsRequest request;
  request.set_page_size(100'000);
  const auto list = [&] {
    return AnswerOf<push::v1::ListTopicsResponse>(
        [&](auto done) { engine.ListTopics(kTeam, request, std::move(done)); });
  };
  const auto first = list();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->topics(0).subscribers(), 3);
  EXPECT_EQ(asked[0].max_topics(), 1000u);
  EXPECT_EQ(asked[0].team_id(), kTeam);
  EXPECT_FALSE(asked[0].kept_only());
  request.set_page_token(first->next_page_token());
  EXPECT_EQ(list()->next_page_token(), "");
  EXPECT_EQ(asked[1].after(), "news");
  request.set_page_token("/");
  ExpectError(list().status(), absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN", "page_token");
  request.clear_page_token();
  request.set_page_size(-1);
  ExpectError(list().status(), absl::StatusCode::kInvalidArgument, "BAD_PAGE_SIZE", "page_size");
}

TEST_F(TopicEngineTest, ListsTheTopicsOfAToken) {
  registry.list_subscriptions = [](const internal::v1::ListSubscriptionsRequest& request) {
    EXPECT_EQ(request.registration_id(), 7u);
    EXPECT_EQ(request.team_id(), kTeam);
    internal::v1::ListSubscriptionsResponse response;
    auto* subscription = response.add_subscriptions();
    subscription->set_topic("news");
    subscription->set_created_at_ms(1'500);
    return response;
  };
  push::v1::ListSubscriptionsRequest request;
  request.set_token(Token(7));
  const auto listed = AnswerOf<push::v1::ListSubscriptionsResponse>(
      [&](auto done) { engine.ListSubscriptions(kTeam, request, std::move(done)); });
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->subscriptions(0).topic(), "news");
  EXPECT_EQ(listed->subscriptions(0).create_time().seconds(), 1);
  EXPECT_EQ(listed->subscriptions(0).create_time().nanos(), 500'000'000);
}

TEST_F(TopicEngineTest, KeptTopicsAreOfTheTeamThatAsks) {
  registry.put_topic = [](const internal::v1::PutTopicRequest& request) { return request.topic(); };
  registry.list_topics = [](const internal::v1::ListTopicsRequest& request) {
    EXPECT_TRUE(request.kept_only());
    EXPECT_EQ(request.after(), "a");
    return internal::v1::ListTopicsResponse();
  };
  internal::v1::PutTopicRequest request;
  request.mutable_topic()->set_name("channel");
  request.mutable_topic()->set_team_id("another");
  request.set_change(internal::v1::PutTopicRequest::MAKE);
  const auto put = [&] {
    return AnswerOf<internal::v1::KeptTopic>(
        [&](auto done) { engine.PutTopic(kTeam, request, std::move(done)); });
  };
  EXPECT_EQ(put()->team_id(), kTeam);
  request.mutable_topic()->set_name("");
  ExpectError(put().status(), absl::StatusCode::kInvalidArgument, "BAD_TOPIC", "topic");
  EXPECT_TRUE(AnswerOf<internal::v1::ListTopicsResponse>([&](auto done) {
                engine.ListKeptTopics(kTeam, "a", std::move(done));
              }).ok());
}

TEST_F(TopicEngineTest, AsksAboutMessagesByTheirIds) {
  registry.get_topic_message = [](const internal::v1::GetTopicMessageRequest& request) {
    EXPECT_EQ(request.team_id(), kTeam);
    push::v1::TopicMessage message;
    message.set_message_id(FormatUuid(*MessageId::FromBytes(request.message_id())));
    return message;
  };
  registry.recall_topic_message = registry.get_topic_message;
  push::v1::GetTopicMessageRequest request;
  request.set_message_id(kUuid);
  const auto get = [&] {
    return AnswerOf<push::v1::TopicMessage>(
        [&](auto done) { engine.GetTopicMessage(kTeam, request, std::move(done)); });
  };
  EXPECT_EQ(get()->message_id(), kUuid);
  push::v1::RecallTopicMessageRequest recall;
  recall.set_message_id(kUuid);
  EXPECT_EQ(AnswerOf<push::v1::TopicMessage>([&](auto done) {
              engine.RecallTopicMessage(kTeam, recall, std::move(done));
            })->message_id(),
            kUuid);
  request.set_message_id("no");
  ExpectError(get().status(), absl::StatusCode::kInvalidArgument, "BAD_MESSAGE_ID", "message_id");
}

}  // namespace
}  // namespace bellwire::gateway
